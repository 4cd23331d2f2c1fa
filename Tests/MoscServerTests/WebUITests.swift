import Foundation
import MoscFormats
import MoscImages
import MoscReport
import TestSupport
import Testing

/// The API of the A1111 web UI, as its clients use it.
@Suite struct WebUITests {
  private let server: TestServer

  init() throws { server = try TestServer.shared.get() }

  private func info(_ reply: HTTPReply) throws -> JSONValue {
    try JSONValue.parse(try #require(reply.json["info"]?.string).utf8, path: "info")
  }

  private func draw(_ fields: String) throws -> HTTPReply {
    try server.send(
      "POST", "/sdapi/v1/txt2img",
      json: "{\"prompt\":\"a fox, on grass\",\"steps\":2,\"width\":64,\"height\":64,\"cfg_scale\":4\(fields)}")
  }

  @Test func picturesComeWithWhatTheyAre() throws {
    let reply = try draw(",\"seed\":5,\"n_iter\":2,\"negative_prompt\":\"blurry\",\"sampler_name\":\"DPM++ 2M\",\"scheduler\":\"Karras\",\"unknown\":1")
    #expect(reply.status == 200, "\(reply.text)")
    let images = try #require(reply.json["images"]?.array)
    #expect(images.count == 2)
    let data = try #require(Data(base64Encoded: images[1].string ?? ""))
    let (image, texts) = try PNG.decode(data, path: "picture")
    #expect((image.width, image.height) == (64, 64))
    let parameters = try #require(texts.first { $0.keyword == "parameters" }?.text)
    #expect(parameters.contains("Seed: 6") && parameters.contains("Schedule type: Karras"))
    let info = try info(reply)
    #expect(info["seed"]?.int == 5)
    #expect(info["all_seeds"] == .array([.int(5), .int(6)]))
    #expect(info["infotexts"]?[1]?.string == parameters)
    for key in [
      "prompt", "all_prompts", "negative_prompt", "all_negative_prompts", "subseed", "all_subseeds", "subseed_strength",
      "width", "height", "sampler_name", "cfg_scale", "steps", "batch_size", "restore_faces", "face_restoration_model",
      "sd_model_name", "sd_model_hash", "sd_vae_name", "sd_vae_hash", "seed_resize_from_w", "seed_resize_from_h",
      "denoising_strength", "extra_generation_params", "index_of_first_image", "styles", "job_timestamp", "clip_skip",
      "is_using_inpainting_conditioning", "version",
    ] { #expect(info[key] != nil, "\(key)") }
    #expect(reply.json["parameters"]?["negative_prompt"]?.string == "blurry")
  }

  @Test func settingsOfPicturesFillWhatIsLeftOut() throws {
    let text = "a robot\nNegative prompt: dark\nSteps: 3, Sampler: Euler a, CFG scale: 2.5, Seed: 77, Size: 64x96"
    let body = JSONValue.fields([("infotext", .string(text)), ("steps", .int(1)), ("negative_prompt", .null)])
    let reply = try server.send("POST", "/sdapi/v1/txt2img", json: body.description)
    #expect(reply.status == 200, "\(reply.text)")
    let info = try info(reply)
    #expect(info["prompt"]?.string == "a robot" && info["negative_prompt"]?.string == "dark")
    #expect(info["seed"]?.int == 77 && info["height"]?.int == 96 && info["sampler_name"]?.string == "Euler a")
    #expect(info["steps"]?.int == 1 && info["cfg_scale"]?.double == 2.5)
    // The end of the connection was watched, so it is not used again.
    #expect(reply.headers["connection"] == "close")
  }

  @Test func neutralFieldsAreTaken() throws {
    let neutral = """
      ,"styles":[],"subseed":-1,"subseed_strength":0,"seed_resize_from_h":-1,"seed_resize_from_w":-1,"sampler_index":"Euler",
      "batch_size":1,"restore_faces":false,"tiling":false,"do_not_save_samples":false,"eta":null,"s_churn":0,"s_tmax":null,
      "s_tmin":0,"s_noise":1.0,"override_settings":{},"refiner_checkpoint":null,"enable_hr":false,"firstphase_width":0,
      "denoising_strength":0.7,"hr_scale":2,"script_name":null,"script_args":[],"send_images":false,"save_images":false,
      "alwayson_scripts":{},"infotext":null,"comments":null,"seed":-1
      """
    let reply = try draw(neutral)
    #expect(reply.status == 200, "\(reply.text)")
    #expect(reply.json["images"] == .array([]))
  }

  @Test(arguments: [
    ("restore_faces", "true"), ("subseed_strength", "1.5"), ("styles", "[\"x\"]"),
    ("script_name", "\"x\""), ("refiner_checkpoint", "\"x\""), ("s_noise", "1.1"), ("steps", "\"many\""), ("steps", "0"),
    ("prompt", "5"), ("width", "7"), ("override_settings", "[]"), ("seed", "0.5"), ("cfg_scale", "\"x\""),
  ])
  func otherFieldsAreNamed(_ field: String, _ value: String) throws {
    let reply = try server.send("POST", "/sdapi/v1/txt2img", json: "{\"\(field)\":\(value)}")
    #expect(reply.status == 422)
    let detail = try #require(reply.json["detail"]?[0])
    #expect(detail["loc"] == .array([.string("body"), .string(field)]))
    for key in ["type", "msg", "input"] { #expect(detail[key] != nil) }
  }

  @Test func picturesGoOnInALargerSize() throws {
    let reply = try draw(",\"seed\":5,\"enable_hr\":true,\"hr_scale\":1.5,\"hr_upscaler\":\"Latent\",\"denoising_strength\":0.5,\"hr_second_pass_steps\":2,\"tiling\":true,\"hr_prompt\":\"\"")
    #expect(reply.status == 200, "\(reply.text)")
    let data = try #require(Data(base64Encoded: reply.json["images"]?[0]?.string ?? ""))
    #expect(try PNG.decode(data, path: "picture").image.width == 96)
    let listed = try server.send("GET", "/sdapi/v1/latent-upscale-modes").json
    #expect(listed.array?.contains(.fields([("name", .string("Latent"))])) == true)
    #expect(try draw(",\"enable_hr\":true,\"hr_upscaler\":\"/etc/passwd.pth\"").status == 422)
    #expect(try draw(",\"enable_hr\":true,\"hr_sampler_name\":\"Euler\"").status == 422)
    #expect(try draw(",\"enable_hr\":true,\"hr_scale\":100").status == 422)
  }

  @Test func unknownNamesAreRefused() throws {
    let sampler = try draw(",\"sampler_name\":\"Nothing\"")
    #expect(sampler.status == 400)
    #expect(sampler.json["detail"]?.string == "Sampler not found")
    #expect(sampler.json["error"]?.string == "HTTPException")
    #expect(try draw(",\"override_settings\":{\"sd_model_checkpoint\":\"nothing.safetensors\"}").status == 404)
    #expect(try server.send("POST", "/sdapi/v1/options", json: "{\"sd_model_checkpoint\":\"nothing\"}").status == 404)
    #expect(try draw(",\"alwayson_scripts\":{\"Nothing\":{\"args\":[]}}").status == 422)
  }

  @Test func pathsTellWhatIsThere() throws {
    #expect(try server.send("GET", "/sdapi/v1/nothing").json == .fields([("detail", .string("Not Found"))]))
    for path in ["/sdapi/v1/interrogate", "/controlnet/detect", "/sdapi/v1/extra-single-image", "/system_stats"] {
      #expect(try server.send("GET", path).status == 404, "\(path)")
    }
    let wrong = try server.send("GET", "/sdapi/v1/txt2img")
    #expect(wrong.status == 405)
    #expect(wrong.json == .fields([("detail", .string("Method Not Allowed"))]))
    #expect(wrong.headers["allow"] == "POST")
  }

  @Test func listsHaveTheirShapes() throws {
    func get(_ name: String) throws -> JSONValue { try server.send("GET", "/sdapi/v1/\(name)").json }
    let model = try #require(try get("sd-models")[0])
    for key in ["title", "model_name", "hash", "sha256", "filename", "config"] { #expect(model[key] != nil) }
    #expect(model["filename"]?.string == "mosc-base")
    let samplers = try #require(try get("samplers").array)
    #expect(samplers.contains { $0["name"]?.string == "Euler" && $0["aliases"]?.array != nil && $0["options"]?.members != nil })
    let schedulers = try #require(try get("schedulers").array)
    #expect(schedulers.contains { $0["label"]?.string == "Karras" && $0["need_inner_model"]?.bool == false })
    #expect(try get("embeddings") == .fields([("loaded", .fields([])), ("skipped", .fields([]))]))
    #expect(try get("upscalers")[0]?["name"]?.string == "None")
    for name in ["sd-vae", "hypernetworks", "prompt-styles", "face-restorers", "realesrgan-models", "extensions", "latent-upscale-modes", "loras"] {
      #expect(try get(name).array != nil, "\(name)")
    }
    #expect(try get("scripts")["txt2img"]?.array?.contains(.string("regional prompter")) == true)
    #expect(try get("script-info").array?.allSatisfy { $0["args"]?.array != nil } == true)
    #expect(try get("memory")["ram"]?["total"]?.int ?? 0 > 0)
    #expect(try get("memory")["cuda"]?["error"] != nil)
    #expect(try get("cmd-flags").members?.contains { $0.key.contains("auth") } == false)
    for name in ["refresh-loras", "refresh-checkpoints", "refresh-vae", "unload-checkpoint", "reload-checkpoint"] {
      #expect(try server.send("POST", "/sdapi/v1/\(name)").status == 200, "\(name)")
    }
    #expect(try server.send("GET", "/internal/ping").json == .fields([]))
  }

  @Test func idleProgressIsNothing() throws {
    let server = try TestServer()
    let reply = try server.send("GET", "/sdapi/v1/progress?skip_current_image=true").json
    #expect(reply["progress"]?.double == 0)
    #expect(reply["state"]?["job_count"]?.int == 0)
    #expect(reply["current_image"] == .null)
    for key in ["skipped", "interrupted", "stopping_generation", "job", "job_timestamp", "job_no", "sampling_step", "sampling_steps"] {
      #expect(reply["state"]?[key] != nil, "\(key)")
    }
    let task = try server.send("POST", "/internal/progress", json: "{\"id_task\":\"task(x)\",\"id_live_preview\":-1}").json
    #expect(task["active"]?.bool == false && task["completed"]?.bool == false)
  }

  @Test func optionsComeBackWhole() throws {
    let server = try TestServer()
    let options = try server.send("GET", "/sdapi/v1/options").json
    #expect(options["samples_format"]?.string == "png")
    // As Open WebUI does: the whole object, with one change.
    let members = try #require(options.members).map {
      $0.key == "CLIP_stop_at_last_layers" ? JSONValue.Member($0.key, .int(2)) : $0
    } + [.init("img2img_color_correction", .bool(true))]
    let reply = try server.send("POST", "/sdapi/v1/options", json: JSONValue.object(members).description)
    #expect(reply.status == 200, "\(reply.text)")
    #expect(reply.json == .null)
    let now = try server.send("GET", "/sdapi/v1/options").json
    #expect(now["CLIP_stop_at_last_layers"]?.int == 2)
    #expect(now["img2img_color_correction"]?.bool == true)
  }

  @Test func picturesTellTheirTexts() throws {
    let image = PixelImage(width: 2, height: 2, pixels: [UInt8](repeating: 9, count: 12))
    let text = "a fox\nNegative prompt: blurry\nSteps: 3, Sampler: Euler, Seed: 7, Size: 64x64"
    let data = try PNG.encode(image, texts: [("parameters", text), ("other", "x")])
    let reply = try server.send(
      "POST", "/sdapi/v1/png-info", json: "{\"image\":\"data:image/png;base64,\(data.base64EncodedString())\"}").json
    #expect(reply["info"]?.string == text)
    #expect(reply["items"]?["other"]?.string == "x")
    #expect(reply["parameters"]?["Seed"]?.string == "7")
    let bare = try PNG.encode(image).base64EncodedString()
    #expect(try server.send("POST", "/sdapi/v1/png-info", json: "{\"image\":\"\(bare)\"}").json["info"]?.string == "")
  }

  // MARK: Pictures to begin with

  /// A red picture, and a mask of its right half.
  private var parts: (image: String, mask: String) {
    get throws {
      let red = PixelImage(width: 64, height: 64, pixels: [UInt8](repeating: 0, count: 64 * 64).flatMap { _ in [200, 30, 30] as [UInt8] })
      let mask = PixelImage(width: 64, height: 64, channels: 1, pixels: (0..<64 * 64).map { $0 % 64 < 32 ? 0 : 255 })
      return (try PNG.encode(red).base64EncodedString(), try PNG.encode(mask).base64EncodedString())
    }
  }

  private func redraw(_ fields: String) throws -> HTTPReply {
    try server.send(
      "POST", "/sdapi/v1/img2img",
      json: "{\"prompt\":\"a fox, on grass\",\"steps\":4,\"width\":64,\"height\":64,\"cfg_scale\":4,\"seed\":1\(fields)}")
  }

  @Test func picturesBeginWithPictures() throws {
    let (image, mask) = try parts
    let plain = try redraw(",\"init_images\":[\"data:image/png;base64,\(image)\"],\"denoising_strength\":0.5")
    #expect(plain.status == 200, "\(plain.text)")
    #expect(try info(plain)["denoising_strength"]?.double == 0.5)
    #expect(plain.json["parameters"]?["init_images"] == nil)
    let half = try redraw(
      ",\"init_images\":[\"\(image)\"],\"mask\":\"\(mask)\",\"denoising_strength\":0.9,\"mask_blur\":0,\"inpaint_full_res\":false,\"inpainting_fill\":1")
    let data = try #require(Data(base64Encoded: half.json["images"]?[0]?.string ?? ""), "\(half.text)")
    let drawn = try PNG.decode(data, path: "picture").image
    // The left half is as it was, byte by byte.
    #expect((0..<64).allSatisfy { row in (0..<30).allSatisfy { drawn.pixels[(row * 64 + $0) * 3] == 200 } })
    #expect((0..<64).contains { row in (40..<64).contains { drawn.pixels[(row * 64 + $0) * 3] != 200 } })
    let none = try redraw("")
    #expect(none.status == 404 && none.json["detail"]?.string == "Init image not found")
    #expect(try redraw(",\"init_images\":[\"http://evil.test/x.png\"]").status == 400)
    #expect(try redraw(",\"init_images\":[\"/etc/passwd\"]").status == 400)
  }

  // MARK: Regional scripts

  /// The `mosc` text of the first picture.
  private func configuration(_ reply: HTTPReply) throws -> JSONValue {
    let data = try #require(Data(base64Encoded: reply.json["images"]?[0]?.string ?? ""), "\(reply.text)")
    let text = try #require(try PNG.decode(data, path: "picture").texts.first { $0.keyword == "mosc" }?.text)
    return try JSONValue.parse(text.utf8, path: "mosc")
  }

  private func regions(_ prompt: String, _ scripts: String) throws -> [JSONValue] {
    let body = JSONValue.fields([("prompt", .string(prompt))]).description.dropLast()
    let reply = try server.send(
      "POST", "/sdapi/v1/txt2img",
      json: "\(body),\"steps\":1,\"width\":64,\"height\":64,\"seed\":1,\"alwayson_scripts\":\(scripts)}")
    return try configuration(reply)["regions"]?.array ?? []
  }

  @Test func regionalPrompterDividesThePicture() throws {
    let found = try regions(
      "on grass BREAK a fox BREAK a robot",
      "{\"regional prompter\":{\"args\":[true,false,\"Matrix\",\"Columns\",\"Mask\",\"Prompt\",\"1,3\",\"0\",false,true]}}")
    #expect(found.map { $0["prompt"]?.string } == ["on grass, a fox", "on grass, a robot"])
    #expect(found[0]["box"]?.array?.compactMap(\.double) == [0, 0, 0.25, 1])
    // Rows, and the shape of an object that only switches it on.
    let rows = try regions(
      "a fox BREAK a robot", "{\"Regional Prompter\":{\"args\":[true,false,\"Matrix\",\"Rows\",\"Mask\",\"Prompt\",\"1,1\"]}}")
    #expect(rows[1]["box"]?.array?.compactMap(\.double) == [0, 0.5, 1, 1])
    let flipped = try regions(
      "a fox BREAK a robot",
      "{\"Regional Prompter\":{\"args\":[true,false,\"Matrix\",\"Columns\",\"Mask\",\"Prompt\",\"1;1\",\"0\",false,false,false,\"Attention\",false,\"0\",\"0\",\"0\",\"\",\"0\",\"0\",true]}}")
    #expect(flipped[1]["box"]?.array?.compactMap(\.double) == [0.5, 0, 1, 1])
    #expect(try regions("a fox BREAK a robot BREAK a cat", "{\"Regional Prompter\":{\"args\":[{\"active\":true}]}}").count == 3)
    #expect(try regions("a fox", "{\"Regional Prompter\":{\"args\":[true]}}").isEmpty)
    #expect(try regions("a fox BREAK b", "{\"Regional Prompter\":{\"args\":[]}}").isEmpty)
  }

  @Test func regionalPrompterReadsPaintedMasks() throws {
    var image = PixelImage(width: 64, height: 64, pixels: [UInt8](repeating: 255, count: 64 * 64 * 3))
    for y in 0..<64 {
      for x in 0..<64 {
        let colour: [UInt8] = x < 32 ? [128, 64, 64] : [64, 128, 128]
        image.pixels.replaceSubrange((y * 64 + x) * 3..<(y * 64 + x) * 3 + 3, with: colour)
      }
    }
    let mask = try PNG.encode(image).base64EncodedString()
    let found = try regions(
      "a fox BREAK a robot",
      "{\"Regional Prompter\":{\"args\":[true,false,\"Mask\",\"Columns\",\"Mask\",\"Prompt\",\"1,1\",\"0\",false,false,false,\"Attention\",false,\"0\",\"0\",\"0\",\"\(mask)\"]}}")
    #expect(found.map { $0["prompt"]?.string } == ["a fox", "a robot"])
    #expect(found.allSatisfy { $0["mask"]?.string?.hasPrefix("data:image/png") == true })
    let path = try server.send(
      "POST", "/sdapi/v1/txt2img",
      json: "{\"prompt\":\"a BREAK b\",\"width\":64,\"height\":64,\"alwayson_scripts\":{\"Regional Prompter\":{\"args\":[true,false,\"Mask\",\"Columns\",\"Mask\",\"Prompt\",\"1,1\",\"0\",false,false,false,\"Attention\",false,\"0\",\"0\",\"0\",\"/etc/passwd\"]}}}")
    #expect(path.status == 400)
  }

  @Test func forgeCoupleDividesByLines() throws {
    let basic = try regions("a fox\na robot", "{\"forge couple\":{\"args\":[true]}}")
    #expect(basic.map { $0["prompt"]?.string } == ["a fox", "a robot"])
    let advanced = try regions(
      "on grass\na fox\na robot",
      "{\"forge couple\":{\"args\":[true,true,\"Advanced\",\"\",\"Horizontal\",\"First Line\",0.5,[[0,0.5,0,1,1],[0.5,1,0.25,1,0.8]]]}}")
    // Pairs of x come first.
    #expect(advanced[1]["box"]?.array?.compactMap(\.double) == [0.5, 0.25, 1, 1])
    #expect(advanced[1]["weight"]?.double == 0.8)
    #expect(try regions("a\nb", "{\"forge couple\":{\"args\":[false]}}").isEmpty)
  }

  @Test func ourOwnScriptTakesScenes() throws {
    let found = try regions(
      "on grass", "{\"mosc\":{\"args\":[{\"regions\":[{\"box\":[0,0,0.5,1],\"prompt\":\"a fox\",\"weight\":0.9}]}]}}")
    #expect(found.count == 1 && found[0]["weight"]?.double == 0.9)
  }

  @Test func scriptsSayWhatIsWrong() throws {
    for scripts in [
      "{\"Regional Prompter\":{\"args\":[true,false,\"Prompt\"]}}", "{\"Regional Prompter\":{\"args\":[true,false,\"Matrix\",\"Random\"]}}",
      "{\"Regional Prompter\":5}", "{\"forge couple\":{\"args\":[true,true,\"Advanced\",\"\",\"Horizontal\",\"None\",0.5,[[0,1]]]}}",
      "{\"mosc\":{\"args\":[{}]}}", "{\"Regional Prompter\":{\"args\":[\"x\"]}}",
    ] {
      let reply = try server.send(
        "POST", "/sdapi/v1/txt2img", json: "{\"prompt\":\"a BREAK b\",\"width\":64,\"height\":64,\"alwayson_scripts\":\(scripts)}")
      #expect(reply.status == 422, "\(scripts): \(reply.text)")
    }
  }
}
