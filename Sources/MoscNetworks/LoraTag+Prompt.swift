import MoscDiffusion
import MoscModel
import MoscPrompts
import MoscReport

extension LoraTag {
  /// Kinds of networks that programs of this field ask for by tags and that are not read.
  private static let refused: Set<String> = [
    "lora", "lyco", "hypernet", "lbw", "ti", "embedding",
  ]

  /// The adapters that the tags of a prompt ask for.
  ///
  /// - Throws: a usage error for a tag that cannot be read or that asks for another kind of network.
  package static func tags(_ tags: [NetworkTag]) throws -> [LoraTag] {
    for tag in tags
    where !AdapterUse.types.contains(tag.type) && refused.contains(tag.type.lowercased()) {
      throw CommandError.usage(
        "the prompt holds '\(tag)'; only <lora:name:strength> and <lyco:name:strength> are read, and only "
          + "LoRA and its relatives are supported")
    }
    do {
      return try AdapterUse.uses(tags).map(Self.init)
    } catch let error as PromptSyntaxError {
      throw CommandError.usage("\(error)")
    }
  }

  private init(_ use: AdapterUse) throws {
    guard use.textEncoder.isFinite, use.unet.isFinite else {
      throw CommandError.usage("'<lora:\(use.name)>': expected finite strengths")
    }
    guard use.rank == nil else {
      throw CommandError.usage("'<lora:\(use.name)>': dyn, which cuts the rank, is not supported")
    }
    if let name = use.unknown.first(where: { $0 != "lbw" }) {
      let isExtension = ["lbwe", "start", "stop", "step"].contains(name)
      throw CommandError.usage(
        isExtension
          ? "'<lora:\(use.name)>': '\(name)' is not supported; of sd-webui-lora-block-weight only lbw is"
          : "'<lora:\(use.name)>': unknown field '\(name)', expected te, unet, lbw or dyn")
    }
    if let blocks = use.blocks {
      do {
        _ = try BlockWeights(blocks)
      } catch {
        throw CommandError.usage("'<lora:\(use.name)>': \(error)")
      }
    }
    self.init(
      name: use.name, textEncoder: Float(use.textEncoder), unet: Float(use.unet), blocks: use.blocks)
  }
}
