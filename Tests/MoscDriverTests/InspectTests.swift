import Foundation
import MoscDriver
import MoscEngine
import MoscFormats
import MoscFuse
import MoscImages
import MoscInspect
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// One file of every kind that is read or written: what it is, and that people and programs are told
/// the same.
@Suite struct InspectTests {
  private let scratch = Scratch()

  /// The finding, which is checked to be one object that is read back.
  @discardableResult
  private func find(_ path: String, _ kind: Finding.Kind, _ words: String...) throws -> Finding {
    let finding = try Inspection.finding(path)
    #expect(finding.kind == kind, "\(path): \(finding.title)")
    let text = finding.text(withTensors: false)
    for word in words { #expect(text.contains(word), "\(word) in \(text)") }
    let json = finding.json(withTensors: true)
    #expect(try JSONValue.parse("\(json)".utf8, path: "json") == json)
    #expect(json["kind"]?.string == kind.rawValue && json["path"]?.string == path)
    return finding
  }

  @Test func models() throws {
    let embedded = try Inspection.finding(nil)
    #expect(embedded.kind == .model && embedded.commands.first?.hasPrefix("mosc sample -p") == true)
    #expect(embedded.text(withTensors: false).contains("learnt words"))
    try find(GoldenFile.model, .model, "unet:", "parameters: ", "mosc sample -m")
    try FileManager.default.createDirectory(atPath: scratch.path("part"), withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(GoldenFile.model)/unet", toPath: scratch.path("part/unet"))
    try find(scratch.path("part"), .model, "vae: not there", "some of its parts")
    try find("\(GoldenFile.model)/unet/diffusion_pytorch_model.safetensors", .part, "a U-Net")
    try find("\(GoldenFile.model)/unet/config.json", .configuration, "UNet2DConditionModel")
    let names = ["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.encoder.conv_in.bias"]
    try SafetensorsFile.write(
      names.map { ($0, HostArray([1, 2] as [Float], shape: [2])) }, to: URL(fileURLWithPath: scratch.path("v1-5.safetensors")))
    try find(scratch.path("v1-5.safetensors"), .checkpoint, "a Stable Diffusion 1.x model", "parts: unet, vae", "mosc convert")
  }

  @Test func adapters() throws {
    let own = try find(
      RecordedRun.url("edlora_hina.pth").path, .adapter, "an ED-LoRA concept (Mix-of-Show)", "<hina1>", "<hina2>",
      "rows, one for each", "made for:", "mosc sample", "mosc fuse", "which --tensors lists")
    #expect(own.facts.first { $0.key == "rank" }?.value.array?.isEmpty == false)
    #expect(own.text(withTensors: true).contains("lora_down.weight: F32["))
    try find(Goldens.url("diffusers/lora_kohya.safetensors").path, .adapter, "a LoRA (kohya)", "rank: ")
    try find(Goldens.url("diffusers/lora_peft.safetensors").path, .adapter, "a LoRA (PEFT)")
    let golden = try SafetensorsFile(Goldens.url("mix-of-show/adapter.safetensors"))
    let weights = try golden.entries.filter { $0.name.hasPrefix("w.") }.map {
      (String($0.name.dropFirst(2)), try golden.array($0.name))
    }
    try SafetensorsFile.write(weights, to: URL(fileURLWithPath: scratch.path("t2i.safetensors")))
    try find(scratch.path("t2i.safetensors"), .condition, "--t2i-adapter")
    // A folder of PEFT: the file and what its configuration says.
    let folder = scratch.url.appending(path: "peft")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: Goldens.url("diffusers/lora_peft.safetensors"), to: folder.appending(path: "adapter_model.safetensors"))
    try scratch.write("peft/adapter_config.json", "{\"peft_type\": \"LORA\", \"r\": 4, \"lora_alpha\": 8}")
    try find(folder.path, .adapter, "a folder of PEFT or diffusers", "lora_alpha: 8", "rank: ")
    try find("\(folder.path)/adapter_config.json", .configuration, "PEFT")
    let text = HostArray([1, 2] as [Float], shape: [1, 2])
    try SafetensorsFile.write([("emb_params", text)], to: URL(fileURLWithPath: scratch.path("ti.safetensors")))
    try find(scratch.path("ti.safetensors"), .embedding, "textual-inversion", "one row")
  }

  @Test func pictures() throws {
    let image = PixelImage(width: 2, height: 3, pixels: [UInt8](repeating: 9, count: 18))
    let texts: [PNG.Text] = [("parameters", "a fox\nSteps: 2"), ("mosc", "{\"seed\": \"7\"}")]
    for (name, format) in [("a.png", PictureFormat.png), ("b.jpg", .jpeg), ("without-ending", .png)] {
      try scratch.write(name, format.encode(image, texts: texts))
      let finding = try find(scratch.path(name), .picture, "2x3", "a fox", "Steps: 2")
      #expect(finding.json(withTensors: false)["mosc"]?["seed"]?.string == "7")
    }
    try scratch.write("data/one.png", PNG.encode(image))
    try scratch.write("data/one.txt", Data("a fox".utf8))
    try find(scratch.path("data"), .trainingPictures, "captions: 1", "mosc train --data")
    try find(scratch.path("data/one.txt"), .text, "--prompt-file")
  }

  @Test func texts() throws {
    try scratch.write("n.mos", "mosc 1\nstage tensor\n\nfunc @f(%x: f32[2]) -> (y: f32[2]) {\n  %y = neg(%x) : f32[2]\n  return %y\n}\n")
    try find(scratch.path("n.mos"), .module, "stage tensor", "func @f", "1 neg", "mosc compile")
    try scratch.write("scene.json", "{\"regions\": [{\"box\": [0, 0, 1, 1], \"prompt\": \"a fox\"}]}")
    try find(scratch.path("scene.json"), .scene, "1 regions", "prompt: a fox", "--regions")
    try find(RecordedRun.url("multi.json").path, .configuration, "2 concepts to fuse", "mosc fuse")
    try scratch.write("report.json", "{\"phases\": [], \"layers\": [{}, {}], \"notes\": []}")
    try find(scratch.path("report.json"), .report, "layers: 2")
    try scratch.write("trace.json", "{\"traceEvents\": []}")
    try find(scratch.path("trace.json"), .report, "chrome://tracing")
    try scratch.write("a.log.jsonl", "{\"step\": 0, \"loss\": 2.5}\n{\"step\": 9, \"loss\": 1.5, \"seconds\": 3}\n{\"st")
    try find(scratch.path("a.log.jsonl"), .log, "last step: 9", "first loss: 2.5", "last loss: 1.5")
    try scratch.write("loss.svg", "<svg></svg>")
    try find(scratch.path("loss.svg"), .report)
    try scratch.write("k.toml", "[general]\n[[datasets]]\nresolution = 64\n")
    try find(scratch.path("k.toml"), .configuration, "kohya", "general, datasets", "--config")
    try scratch.write("k.yml", "datasets:\n  train: {}\n")
    try find(scratch.path("k.yml"), .configuration, "Mix-of-Show", "datasets")
    try scratch.write("page.html", "<!DOCTYPE html><p>")
    try find(scratch.path("page.html"), .page)
    try scratch.write("k.ll", "; kernel @k0\n")
    try find(scratch.path("k.ll"), .code, "LLVM IR")
  }

  /// What runs leave: states, draws, statistics, the cache.
  @Test func statesOfRuns() throws {
    func write(_ name: String, _ metadata: [String: String]) throws {
      try SafetensorsFile.write(
        ["a", "b"].map { ($0, HostArray([1] as [Float], shape: [1])) }, metadata: metadata, to: URL(fileURLWithPath: scratch.path(name)))
    }
    try write("s.safetensors", ["mosc": "training state", "step": "12", "settings": "{\"seed\": \"3\"}"])
    try find(scratch.path("s.safetensors"), .state, "step: 12", "seed: 3", "--resume")
    try write("m.safetensors", ["mosc": "mosc 0", "key": "k", "moments": "{}"])
    try find(scratch.path("m.safetensors"), .statistics, "--stats")
    try write("d.safetensors", ["prompts": "[\"a\"]", "optimiser": "{}", "attn_reg_weight": "1"])
    try find(scratch.path("d.safetensors"), .recording, "--replay-draws")
    try write("l.safetensors", ["pictures": "x", "autoencoder": "y", "type": "f32"])
    try find(scratch.path("l.safetensors"), .state, "pretrain")
    try write("plain.safetensors", [:])
    try find(scratch.path("plain.safetensors"), .tensors, "2 tensors", "2 F32")
    try scratch.write("stats/fusion.json", "{\"version\": 1, \"model\": \"ab\", \"concepts\": [{\"name\": \"cat\"}]}")
    try find(scratch.path("stats"), .statistics, "name: cat", "--reweigh")

    let module = try scratch.write(
      "in.mos", "mosc 1\nstage tensor\n\nfunc @f(%x: f32[64]) -> (y: f32[64]) {\n  %y = neg(%x) : f32[64]\n  return %y\n}\n")
    try SafetensorsFile.write([("x", HostArray([Float](repeating: 1, count: 64), shape: [64]))], to: scratch.url.appending(path: "x.safetensors"))
    let cache = scratch.path("cache")
    let run = try MoscProgram.run(
      ["run", module.path, "--in", "x.safetensors", "--out", "y.safetensors", "--cache-dir", cache, "--record", scratch.path("rec")],
      in: scratch)
    #expect(run.status == 0, "\(run.errors)")
    try find(cache, .cacheEntry, "kernels:", "mosc cache")
    let objects = try FileManager.default.contentsOfDirectory(atPath: "\(cache)/objects")
    let entry = "\(cache)/objects/\(try #require(objects.first))"
    try find(entry, .cacheEntry, "a compiled kernel", "key: ")
    try Data("damage".utf8).write(to: URL(fileURLWithPath: entry))
    #expect { try Inspection.finding(entry) } throws: { "\($0)".contains("cache entry") }
    try find(scratch.path("rec"), .recording, "mosc replay compare")
    let code = try MoscProgram.run(["compile", module.path, "--emit=obj", "-o", scratch.path("obj")])
    #expect(code.status == 0, "\(code.errors)")
    let object = try #require(try FileManager.default.contentsOfDirectory(atPath: scratch.path("obj")).first)
    try find(scratch.path("obj/\(object)"), .code, "machine code")
  }

  @Test func packedWeights() throws {
    let outcome = try MoscProgram.run(
      ["sample", "-p", "a fox", "-s", "1", "--steps", "1", "-W", "16", "-H", "16", "--cache-dir", scratch.path("cache")], in: scratch)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let folder = scratch.path("cache/weights")
    for _ in 0..<100 where (try? FileManager.default.contentsOfDirectory(atPath: folder))?.isEmpty != false {
      usleep(20_000)
    }
    // A run that ends soon leaves out the rest; what is there is whole.
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix("mosc-pack") }
    let name = try #require(names.first)
    try find("\(folder)/\(name)", .cacheEntry, "a packed weight")
    try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    #expect { try Inspection.finding("\(folder)/\(name)") } throws: { "\($0)".contains("checksum") }
  }

  @Test func whatIsNothingIsAnError() throws {
    try FileManager.default.createDirectory(atPath: scratch.path("empty"), withIntermediateDirectories: true)
    try scratch.write("zero", "")
    try scratch.write("bytes.bin", Data([1, 0, 2, 0, 3, 0, 4, 0, 5]))
    try scratch.write("other/readme.md", Data("x".utf8))
    try scratch.write("bad.safetensors", Data([9, 0, 0, 0, 0, 0, 0, 0, 1]))
    for (name, words) in [
      ("empty", "is empty"), ("zero", "is empty"), ("bytes.bin", "01 00 02"), ("other", "readme.md"),
      ("bad.safetensors", "header"), ("missing", "no such"),
    ] {
      let outcome = try MoscProgram.run("inspect", scratch.path(name))
      #expect(outcome.status == 1 && outcome.output.isEmpty, "\(name): \(outcome.output)")
      #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.contains(words), "\(outcome.errors)")
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
    let several = try MoscProgram.run("inspect", "--json", GoldenFile.model, RecordedRun.url("multi.json").path)
    let lines = several.output.split(separator: "\n")
    #expect(lines.count == 2 && several.status == 0)
    for line in lines { #expect(throws: Never.self) { try JSONValue.parse(line.utf8, path: "line") } }
  }
}
