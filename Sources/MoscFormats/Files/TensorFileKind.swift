/// Tells what a file of tensors is by their names, for the refusal of a file that is something else.
package enum TensorFileKind {
  /// Kinds of files by a part of a name that only they have, and what to do with them.
  private static let kinds: [(marks: [String], what: String)] = [
    (
      ["lora_down", "lora_A.", "lora_up", "hada_w", "lokr_w", "_lora.down"],
      "a LoRA or one of its relatives, which --lora takes"
    ),
    (["ip_adapter.", "image_proj."], "an IP-Adapter, which is not supported"),
    (
      ["controlnet_", "control_model.", "input_hint_block", "lllite_"],
      "a ControlNet, which is not supported"
    ),
    (
      ["adapter.body.", "body.0.block1", "body.0.in_conv"],
      "a T2I-Adapter, which --t2i-adapter takes"
    ),
    (["motion_modules."], "a motion module of AnimateDiff, which is not supported"),
    (
      ["model.diffusion_model.", "cond_stage_model.", "first_stage_model."],
      "a whole model in one file"
    ),
    (["down_blocks.", "up_blocks."], "the weights of a whole network"),
    (["decoder.up.", "decoder.mid."], "an autoencoder (VAE)"),
    (["text_model.", "transformer.text_model."], "the weights of a text encoder"),
    (["linear.0.weight", ".linear1.weight"], "a hypernetwork, which is not supported"),
  ]

  /// What the file is; nil where its names do not tell.
  package static func describe(_ names: some Collection<String>) -> String? {
    kinds.first { kind in
      names.contains { name in kind.marks.contains { name.contains($0) } }
    }?.what
  }
}
