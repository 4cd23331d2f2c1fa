import Foundation
import MoscFormats
import MoscReport
import MoscModel

extension Inspection {
  /// A safetensors file.
  static func safetensorsFinding(_ url: URL, _ path: String) throws -> Finding {
    let file = try SafetensorsFile(url)
    let lines = file.entries.map { Finding.TensorLine($0.name, $0.dtype, $0.shape) }
      .sorted { $0.name < $1.name }
    let bytes = file.entries.reduce(0) { $0 + $1.range.count }
    return try tensorFinding(url, path, lines, bytes, file.metadata)
  }

  /// A file of `torch.save`.
  static func torchFinding(_ url: URL, _ path: String) throws -> Finding {
    let file = try TorchFile(url)
    let lines = file.tensors.map { Finding.TensorLine($0.name, $0.tensor.dtype, $0.tensor.shape) }
    return try tensorFinding(url, path, lines, try size(url), [:])
  }

  private static func tensorFinding(
    _ url: URL, _ path: String, _ lines: [Finding.TensorLine], _ bytes: Int,
    _ metadata: [String: String]
  ) throws -> Finding {
    let names = lines.map(\.name)
    var finding: Finding
    if let own = stateFinding(path, metadata) {
      finding = own
    } else if let family = TensorFamily(try WeightFile.open(url)), [.lora, .concept, .textualInversion].contains(family) {
      finding = adapterFinding(try AdapterFile(url), names, path)
    } else {
      finding = try networkFinding(url, path, names)
      finding.add(
        "metadata", .fields(metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }
    finding.tensors = lines
    let types = Dictionary(grouping: lines, by: \.type).mapValues(\.count).sorted { $0.key < $1.key }
    finding.title += ": \(lines.count) tensors"
    finding.facts = [
      .init(Finding.sizeName, .int(bytes)),
      .init("types", .string(types.map { "\($0.value) \($0.key)" }.joined(separator: ", "))),
    ] + finding.facts
    return finding
  }

  /// What training and fusion keep between runs.
  private static func stateFinding(_ path: String, _ metadata: [String: String]) -> Finding? {
    if metadata["mosc"] == "training state" {
      var finding = Finding(path, .state, "the state of a training run")
      finding.add("step", metadata["step"].flatMap { Int($0) }.map { .int($0) })
      finding.add("settings", metadata["settings"].map { (try? JSONValue.parse($0.utf8, path: path)) ?? .string($0) })
      finding.commands = ["mosc train … --resume, with the settings of the run"]
      return finding
    }
    if metadata["moments"] != nil, metadata["key"] != nil {
      var finding = Finding(path, .statistics, "statistics of a concept's layers")
      finding.add("made by", metadata["mosc"])
      finding.commands = ["mosc fuse --stats FOLDER, the folder of this file"]
      return finding
    }
    if metadata["pictures"] != nil, metadata["autoencoder"] != nil {
      var finding = Finding(path, .state, "encoded pictures of a pretraining run")
      finding.commands = ["mosc pretrain … --resume"]
      return finding
    }
    if metadata["attn_reg_weight"] != nil || metadata.keys.contains(where: { $0.hasSuffix("prompts") }),
      metadata["optimiser"] != nil
    {
      var finding = Finding(path, .recording, "recorded draws of training steps")
      finding.add(
        "metadata", .fields(metadata.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
      finding.commands = ["mosc train --replay-draws \(quoted(path)) --lora START …"]
      return finding
    }
    return nil
  }

  /// A network, whole or in part, or any tensors.
  private static func networkFinding(_ url: URL, _ path: String, _ names: [String]) throws -> Finding {
    let place = quoted(path)
    let family = TensorFamily(try WeightFile.open(url))
    switch family {
    case .t2iAdapter?:
      let model = try T2IAdapterModel(url)
      var finding = Finding(path, .condition, "a T2I-Adapter for condition images")
      finding.add("condition channels", model.config.imageChannels)
      finding.commands = ["mosc sample -m MODEL --t2i-adapter \(place) --t2i-image IMAGE -p '…'"]
      return finding
    case .tinyAutoencoder?:
      let config = try DiffusersModel.autoencoder(at: url).config
      var finding = Finding(path, .part, TensorFamily.tinyAutoencoder.name)
      finding.add("parts", (config.tiny?.hasEncoder == true ? ["encoder"] : []) + ["decoder"])
      finding.add("latent channels", config.latentChannels)
      finding.commands = ["mosc sample -m MODEL --taesd \(place) -p '…'"]
      return finding
    case .vae?, .diffusersUNet?, .textEncoder?:
      var finding = Finding(path, .part, family?.name ?? "")
      finding.commands = family == .vae
        ? ["mosc sample -m MODEL --vae \(place) -p '…'"]
        : ["mosc sample -m FOLDER -p '…', where FOLDER is the model that this is a part of"]
      return finding
    case let family?:
      var finding = Finding(path, .checkpoint, family.name)
      let parts = [
        ("unet", "model.diffusion_model."), ("vae", "first_stage_model."),
        ("text encoder", "cond_stage_model."),
      ]
      finding.add("parts", parts.filter { part in names.contains { $0.hasPrefix(part.1) } }.map(\.0))
      finding.add("not drawn with", family.refusal)
      if family.refusal == nil {
        finding.commands = ["mosc sample -m \(place) -p '…'", "mosc convert \(place) FOLDER"]
      }
      return finding
    case nil: break
    }
    var finding = Finding(path, .tensors, "plain tensors")
    if names.contains("latents_init") || names.contains("latents_in") {
      finding.title = "latents of a run"
      finding.commands = ["mosc sample --latents-in \(quoted(path)) …"]
    } else {
      finding.commands = ["mosc run COMPONENT --in \(quoted(path)) --out …"]
    }
    return finding
  }
}
