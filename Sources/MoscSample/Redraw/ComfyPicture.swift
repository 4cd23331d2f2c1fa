import Foundation
import MoscFormats

/// The `prompt` text of ComfyUI: a graph of nodes, of which one samples.
///
/// Source: ComfyUI `nodes.py`; links are lists of a node and the number of its output.
extension PictureSettings {
  /// Reads the graph.
  init(comfyUI text: String, path: String) throws {
    self.init()
    let place = "\(path), text prompt"
    // ComfyUI lets NaN into its JSON, as Python does.
    let graph = try JSONValue.parse(text.utf8, path: place)
    func kind(_ node: JSONValue) -> String { node["class_type"]?.string ?? "" }
    let nodes = graph.members ?? []
    let samplers = nodes.filter { ["KSampler", "KSamplerAdvanced"].contains(kind($0.value)) }
    guard let sampler = samplers.first?.value, let inputs = sampler["inputs"] else {
      throw FormatError(place, nil, "the graph has no node KSampler")
    }
    origin = "ComfyUI"
    if samplers.count > 1 { remark("of \(samplers.count) sampling nodes the first is followed") }
    /// The node that an input is linked to, past others of the kinds.
    func linked(_ from: JSONValue?, _ input: String) -> JSONValue? {
      guard let id = from?["inputs"]?[input]?.array?.first?.string else { return nil }
      return graph[id]
    }
    func prompt(_ input: String) -> String {
      guard let node = linked(sampler, input) else { return "" }
      guard kind(node) == "CLIPTextEncode", let text = node["inputs"]?["text"]?.string else {
        remark("\(input): the node \(kind(node)) is not followed")
        return node["inputs"]?["text"]?.string ?? ""
      }
      return text
    }
    request.prompt = prompt("positive")
    request.negativePrompt = prompt("negative")
    guard let steps = inputs["steps"]?.int,
      let seed = inputs["seed"]?.int ?? inputs["noise_seed"]?.int, seed >= 0
    else { throw FormatError(place, nil, "the node KSampler has no numbers for steps and seed") }
    (request.steps, request.seeds, request.guidance) = (steps, [UInt64(seed)], inputs["cfg"]?.double)
    readSampler(inputs["sampler_name"]?.string ?? "euler", inputs["scheduler"]?.string)
    if let denoise = inputs["denoise"]?.double, denoise < 1 {
      remark("it was drawn from another picture (denoise \(denoise)): a picture from text is drawn")
    }
    if let latent = linked(sampler, "latent_image"), kind(latent) == "EmptyLatentImage" {
      (request.width, request.height) = (latent["inputs"]?["width"]?.int, latent["inputs"]?["height"]?.int)
    } else {
      remark("its size does not come from a node EmptyLatentImage: the model's own is drawn")
    }
    // Adapters stand between the sampler and the model, the last first.
    var node = linked(sampler, "model")
    model = "unknown"
    while let current = node {
      let fields = current["inputs"]
      switch kind(current) {
      case "CheckpointLoaderSimple":
        model = fields?["ckpt_name"]?.string ?? "unknown"
        node = nil
      case "LoraLoader", "LoraLoaderModelOnly":
        let unet = Float(fields?["strength_model"]?.double ?? 1)
        let name = URL(filePath: fields?["lora_name"]?.string ?? "").deletingPathExtension().lastPathComponent
        adapters.insert(
          Adapter(
            name: name,
            textEncoder: kind(current) == "LoraLoader" ? Float(fields?["strength_clip"]?.double ?? 1) : 0,
            unet: unet), at: 0)
        node = linked(current, "model")
      default:
        remark("the node \(kind(current)) is not followed")
        node = linked(current, "model")
      }
    }
    let skipped = nodes.first { kind($0.value) == "CLIPSetLastLayer" }?.value["inputs"]?["stop_at_clip_layer"]?.int
    if let skipped, skipped < 0 { request.clipSkip = -skipped }
    remark("words with weights are weighed as in the web UI, not as in ComfyUI")
  }
}
