/// What kind of network or adapter a file of tensors holds, told by a few of its names.
package enum TensorFamily: String, CaseIterable, Hashable, Sendable {
  case stableDiffusion1 = "a Stable Diffusion 1.x model"
  case stableDiffusion2 = "a Stable Diffusion 2.x model"
  case stableDiffusionXL = "a Stable Diffusion XL model"
  case stableDiffusionXLRefiner = "the refiner of Stable Diffusion XL"
  case stableDiffusion3 = "a Stable Diffusion 3 model"
  case flux = "a Flux model"
  case stableCascade = "a Stable Cascade model"
  case controlNet = "a ControlNet"
  case t2iAdapter = "a T2I-Adapter"
  case vae = "an autoencoder (VAE)"
  case tinyAutoencoder = "a tiny autoencoder (TAESD)"
  case diffusersUNet = "a U-Net in diffusers' names"
  case textEncoder = "a CLIP text encoder"
  case lora = "a LoRA or another adapter"
  case concept = "a concept file"
  case textualInversion = "a textual-inversion embedding"
  case upscaler = "an upscaling network"
  case ipAdapter = "an IP-Adapter"
  case motionModule = "a motion module of AnimateDiff"

  /// What it is, in words.
  package var name: String { rawValue }

  /// The family of a file; nil when no name is known.
  package init?(_ source: any WeightSource) {
    self.init(source.names) { source.weight($0)?.shape }
  }

  /// The family of tensors by their names; nil when none is known.
  package init?(_ names: [String], shape: (String) -> [Int]?) {
    guard let found = Self.first(names, shape) else { return nil }
    self = found
  }

  /// Ends of names that only one family has, in the order in which they are looked for.
  private static let marks: [(family: TensorFamily, prefix: String, part: String)] = [
    (.stableDiffusionXLRefiner, "conditioner.embedders.0.model.", ""),
    (.stableDiffusionXL, "conditioner.embedders.1.", ""),
    (.stableDiffusion3, "", "joint_blocks.0."), (.ipAdapter, "image_proj.", ""),
    (.ipAdapter, "ip_adapter.", ""), (.motionModule, "", "motion_modules."),
    (.flux, "", "double_blocks.0."),
    (.flux, "single_transformer_blocks.0.", ""),
    (.stableCascade, "", "clip_txt_mapper."),
    (.lora, "", "lora_down.weight"), (.lora, "", "lora_A"), (.lora, "", ".hada_w1_a"),
    (.lora, "", ".lokr_w"), (.lora, "", "lora.down.weight"), (.lora, "", "to_q_lora.down"),
    (.lora, "lora_unet_", ""), (.lora, "lora_te_", ""), (.lora, "", ".on_input"),
    (.lora, "", ".oft_blocks"),
    (.controlNet, "control_model.", ""), (.controlNet, "controlnet_cond_embedding.", ""),
    (.controlNet, "", "zero_convs.0."), (.controlNet, "controlnet_x_embedder.", ""),
    (.controlNet, "controlnet_blocks.", ""), (.controlNet, "lora_controlnet", ""),
    (.stableDiffusion2, "cond_stage_model.model.", ""),
    (.stableDiffusion1, "model.diffusion_model.input_blocks.", ""),
    (.upscaler, "", "RDB1.conv1"), (.upscaler, "", "rdb1.conv1"),
    (.concept, "params.", ""), (.concept, "new_concept_embedding.", ""),
    (.t2iAdapter, "adapter.body.", ""), (.t2iAdapter, "body.0.in_conv", ""),
    (.t2iAdapter, "body.0.block1", ""),
    (.diffusersUNet, "down_blocks.", ""),
    (.tinyAutoencoder, "", ".conv.4.weight"),
    (.vae, "first_stage_model.", ""), (.vae, "decoder.", ""), (.vae, "encoder.down", ""),
    (.textEncoder, "text_model.", ""), (.textEncoder, "cond_stage_model.transformer.", ""),
    (.textualInversion, "string_to_param.", ""), (.textualInversion, "emb_params", ""),
  ]

  private static func first(
    _ names: [String], _ shape: (String) -> [Int]?
  ) -> TensorFamily? {
    for mark in marks {
      let found = names.first {
        $0.hasPrefix(mark.prefix) && (mark.part.isEmpty || $0.contains(mark.part))
      }
      if found == nil { continue }
      // A pruned checkpoint may lack the text encoder that tells 2.x from 1.x.
      if mark.family == .stableDiffusion1, contextWidth(names, shape) == 1024 {
        return .stableDiffusion2
      }
      if mark.family == .stableDiffusion1, contextWidth(names, shape) == 2048 {
        return .stableDiffusionXL
      }
      return mark.family
    }
    if names.count == 1, let only = names.first, shape(only)?.count ?? 9 <= 2 {
      return .textualInversion
    }
    return nil
  }

  /// The width of the text states that a U-Net attends to.
  private static func contextWidth(_ names: [String], _ shape: (String) -> [Int]?) -> Int? {
    names.first { $0.hasSuffix("attn2.to_k.weight") }.flatMap(shape)?.last
  }

  /// Why the file cannot be the model to draw with, and what to do; nil for a model that can.
  package var refusal: String? {
    switch self {
    case .stableDiffusion1: nil
    case .stableDiffusion2:
      "is \(name) in one file, whose OpenCLIP text encoder is not read from there; convert it to a "
        + "folder in diffusers layout and give that"
    case .stableDiffusionXL, .stableDiffusionXLRefiner, .stableDiffusion3, .flux, .stableCascade:
      "is \(name); only models of Stable Diffusion 1.x, and 2.x in diffusers layout, can be drawn with"
    case .controlNet: "is \(name), not a whole model; give it with --control and --control-image beside a model"
    case .t2iAdapter: "is \(name), not a whole model; give it with --t2i-adapter beside a model"
    case .vae: "is \(name), not a whole model; give it with --vae beside a model"
    case .tinyAutoencoder: "is \(name), not a whole model; give it with --taesd beside a model"
    case .lora: "is \(name), not a whole model; give it with --lora beside a model"
    case .concept: "is \(name), not a whole model; give it with --lora beside a model"
    case .textualInversion:
      "is \(name), not a whole model; give it with --embd-dir or --lora beside a model"
    case .diffusersUNet, .textEncoder:
      "is \(name) alone, not a whole model; give the folder in diffusers layout that it belongs to"
    case .upscaler: "is \(name), not a model that draws from text; mosc upscale takes it"
    case .ipAdapter, .motionModule: "is \(name), not a model that draws from text"
    }
  }
}
