import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscReport

extension Inspection {
  /// A folder of any kind.
  static func folderFinding(_ url: URL, _ path: String) throws -> Finding {
    let names = try namesInFolder(url).filter { !$0.hasPrefix(".") }
    if names.isEmpty { throw FormatError(path, nil, "the folder is empty") }
    func has(_ name: String) -> Bool { names.contains(name) }
    func count(_ endings: String...) -> Int {
      names.count { endings.contains(URL(fileURLWithPath: $0).pathExtension.lowercased()) }
    }
    if ["adapter_config.json", "adapter_model.safetensors", "pytorch_lora_weights.safetensors"].contains(where: has) { return try peftFinding(url, names, path) }
    if has("fusion.json") { return try statisticsFinding(url, path) }
    if has("model_index.json") || DiffusersModel.Component.allCases.contains(where: { has($0.rawValue) }) {
      return try modelFinding(DiffusersModel(at: url), path)
    }
    if has("objects") || has("weights") || count("mosc-object", "mosc-pack") > 0 {
      return try cacheFinding(url, path)
    }
    if has("config.json"), let part = try autoencoderFinding(url, path) { return part }
    let stems = try RecordedProgram.stems(in: path)
    if !stems.isEmpty {
      var finding = Finding(path, .recording, "recorded kernels of \(stems.count) programs")
      finding.add("programs", stems)
      finding.commands = ["mosc replay compare \(quoted(path))"]
      return finding
    }
    if has("index.html"), count("mos") > 0 {
      var finding = Finding(path, .page, "dumps of \(count("mos")) passes; index.html lists them")
      finding.commands = ["mosc opt \(quoted(path))/FILE.mos"]
      return finding
    }
    let places = has("images") ? url.appending(path: "images") : url
    let files = try namesInFolder(places)
    let pictures = files.count { ["png", "jpg", "jpeg", "webp"].contains(URL(fileURLWithPath: $0).pathExtension.lowercased()) }
    if pictures > 0 {
      var finding = Finding(path, .trainingPictures, "\(pictures) pictures")
      let captions = has("captions") ? url.appending(path: "captions") : places
      finding.add("pictures", pictures)
      finding.add("captions", try namesInFolder(captions).count { $0.hasSuffix(".txt") })
      if has("masks") { finding.add("masks", try namesInFolder(url.appending(path: "masks")).count) }
      finding.commands = ["mosc train --data \(quoted(path)) --concept '<a1> <a2>' --init WORD -o FILE.safetensors"]
      return finding
    }
    if count("safetensors", "pth", "pt") > 0 {
      var finding = Finding(path, .adapter, "a folder of adapters")
      finding.add("files", names.filter { ["safetensors", "pth", "pt"].contains(URL(fileURLWithPath: $0).pathExtension.lowercased()) })
      finding.commands = ["mosc sample --lora-model-dir \(quoted(path)) -p '… <lora:NAME:1>'"]
      return finding
    }
    throw FormatError(
      path, nil, "holds nothing that mosc reads; it has \(names.prefix(5).joined(separator: ", "))"
        + (names.count > 5 ? " and \(names.count - 5) more" : ""))
  }

  /// A folder that diffusers saves an autoencoder into; nil for another class.
  private static func autoencoderFinding(_ url: URL, _ path: String) throws -> Finding? {
    let kind = try JSONObject(contentsOf: url.appending(path: "config.json"))["_class_name"]?.string
    guard kind == "AutoencoderKL" || kind == "AutoencoderTiny" else { return nil }
    let config = try DiffusersModel.autoencoder(at: url).config
    let family: TensorFamily = config.tiny == nil ? .vae : .tinyAutoencoder
    var finding = Finding(path, .part, "\(family.name) in a folder")
    finding.add("latent channels", config.latentChannels)
    finding.commands = [
      "mosc sample -m MODEL \(config.tiny == nil ? "--vae" : "--taesd") \(quoted(path)) -p '…'"
    ]
    return finding
  }

  /// A folder as PEFT saves adapters.
  private static func peftFinding(_ url: URL, _ names: [String], _ path: String) throws -> Finding {
    let file = try AdapterFile(url)
    let weights = try finding(file.path)
    var finding = Finding(path, .adapter, "a folder of PEFT or diffusers, \(weights.title)")
    finding.facts = weights.facts.filter { $0.key != "metadata" }
    finding.tensors = weights.tensors
    if names.contains("adapter_config.json") {
      let config = try JSONObject(contentsOf: url.appending(path: "adapter_config.json"))
      finding.add("configuration", .object(config.members.filter { $0.value != .null }))
    }
    finding.commands = weights.commands.map { $0.replacing(quoted(file.path), with: quoted(path)) }
    return finding
  }

  /// Statistics that fusion keeps.
  private static func statisticsFinding(_ url: URL, _ path: String) throws -> Finding {
    let manifest = try JSONObject(contentsOf: url.appending(path: "fusion.json"))
    var finding = Finding(path, .statistics, "statistics of fused concepts")
    finding.add("concepts", manifest["concepts"])
    finding.add("base model (fingerprint)", try manifest.string("model", default: ""))
    finding.commands = [
      "mosc fuse --stats \(quoted(path)) [--add FILE] [--remove NAME] [--reweigh NAME=STRENGTH]"
    ]
    return finding
  }
}
