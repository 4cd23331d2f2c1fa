import Foundation
import MoscReport

extension ForeignOptions {
  /// Options of trainers. What is neither here nor an option of mosc is unknown to it.
  static let training: [ForeignOption] = pictures + schedule + networks + results + arithmetic

  private static func kohya(
    _ name: String, _ values: ForeignOption.Values = .one, _ fate: ForeignOption.Fate
  ) -> ForeignOption { ForeignOption(.kohya, name, values, fate) }

  private static func diffusers(
    _ name: String, _ values: ForeignOption.Values = .one, _ fate: ForeignOption.Fate
  ) -> ForeignOption { ForeignOption(.diffusers, name, values, fate) }

  private static let perDataset = "say it in the subset of a --dataset_config"

  // MARK: Pictures and words

  private static let pictures: [ForeignOption] = [
    ForeignOption(
      .mixOfShow, "opt", .one,
      .part("--config FILE, and --output experiments/NAME/models/edlora_model-latest.pth")),
    ForeignOption(.mixOfShow, "attn_reg_weight", .one, .alias("--attention-weight")),
    kohya("pretrained_model_name_or_path", .one, .alias("--model")),
    kohya("train_data_dir", .one, .alias("--data")),
    kohya("dataset_config", .one, .alias("--config")),
    kohya("reg_data_dir", .one, .refused("there is no prior preservation")),
    kohya("prior_loss_weight", .one, .refused("there is no prior preservation", unless: ["1", "1.0"])),
    kohya("resolution", .one, .translated("--resolution SIDE", { values in
      let sides = Set(values[0].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
      guard sides.count == 1, let side = sides.first else {
        throw CommandError.usage(
          "--resolution \(values[0]): pictures are cut to a square, expected one number")
      }
      return .init(["--resolution", side])
    })),
    kohya("caption_extension", .one, .refused(
      "captions of a folder are .txt files, " + perDataset, unless: [".txt", "txt"])),
    kohya("shuffle_caption", .none, .refused(perDataset)),
    kohya("keep_tokens", .one, .refused(perDataset, unless: ["0"])),
    kohya("flip_aug", .none, .refused(perDataset)),
    kohya("random_crop", .none, .refused(perDataset)),
    kohya("color_aug", .none, .refused("colours are left as they are")),
    kohya("caption_dropout_rate", .one, .refused("captions are never left out", unless: ["0", "0.0"])),
    kohya("caption_tag_dropout_rate", .one, .refused("captions are never left out", unless: ["0", "0.0"])),
    kohya("caption_dropout_every_n_epochs", .one, .refused("captions are never left out", unless: ["0"])),
    kohya("enable_bucket", .none, .needless(
      "pictures of other shapes are cut to the resolution, so look whether the concept is still in them")),
    kohya("min_bucket_reso", .one, .needless("there are no buckets")),
    kohya("max_bucket_reso", .one, .needless("there are no buckets")),
    kohya("bucket_reso_steps", .one, .needless("there are no buckets")),
    kohya("bucket_no_upscale", .none, .needless("there are no buckets")),
    kohya("cache_latents", .none, .needless("latents are always kept")),
    kohya("cache_latents_to_disk", .none, .needless("latents are always kept, in memory")),
    kohya("vae_batch_size", .one, .needless("pictures are encoded one by one")),
    kohya("max_token_length", .one, .refused(
      "captions have as many tokens as the model reads", unless: ["75"])),
    kohya("clip_skip", .one, .refused("the text encoder is read at its end", unless: ["1"])),
    kohya("masked_loss", .none, .alias("--masked-loss")),
    kohya("token_string", .one, .alias("--concept")),
    kohya("init_word", .one, .alias("--init")),
    kohya("num_vectors_per_token", .one, .refused(
      "a concept has as many vectors as --concept has words", unless: ["1"])),
    diffusers("instance_data_dir", .one, .alias("--data")),
    diffusers("class_data_dir", .one, .refused("there is no prior preservation")),
    diffusers("with_prior_preservation", .none, .refused("there is no prior preservation")),
    diffusers("placeholder_token", .one, .alias("--concept")),
    diffusers("initializer_token", .one, .alias("--init")),
    diffusers("num_vectors", .one, .refused(
      "a concept has as many vectors as --concept has words", unless: ["1"])),
    diffusers("center_crop", .none, .needless("pictures are cut in the middle anyway")),
    diffusers("random_flip", .none, .refused(perDataset + " (flip_aug)")),
  ]

  // MARK: Steps and rates

  private static let schedule: [ForeignOption] = [
    kohya("max_train_steps", .one, .alias("--steps")),
    kohya("max_train_epochs", .one, .alias("--epochs")),
    kohya("train_batch_size", .one, .alias("--batch-size")),
    kohya("gradient_accumulation_steps", .one, .alias("--gradient-accumulation")),
    kohya("learning_rate", .one, .alias("--learning-rate")),
    kohya("unet_lr", .one, .alias("--unet-lr")),
    kohya("text_encoder_lr", .one, .alias("--text-encoder-lr")),
    kohya("lr_scheduler", .one, .translated("--lr-scheduler SHAPE", { values in
      .init(["--lr-scheduler", values[0] == "constant_with_warmup" ? "constant" : values[0]])
    })),
    kohya("lr_warmup_steps", .one, .alias("--warm-up")),
    kohya("lr_scheduler_num_cycles", .one, .refused("rates fall once", unless: ["1"])),
    kohya("lr_scheduler_power", .one, .refused("there is no polynomial schedule", unless: ["1", "1.0"])),
    kohya("optimizer_type", .one, .translated("", optimiser)),
    kohya("optimizer_args", .many, .refused("AdamW has a weight decay of 0.01 and betas of 0.9 and 0.999")),
    kohya("use_8bit_adam", .none, .translated("", { _ in
      .init(warning: "--use_8bit_adam: AdamW keeps its moments in f32")
    })),
    kohya("max_grad_norm", .one, .refused("gradients are not clipped", unless: ["0", "0.0"])),
    kohya("noise_offset", .one, .alias("--noise-offset")),
    kohya("min_snr_gamma", .one, .refused("all timesteps weigh the same", unless: ["0"])),
    kohya("multires_noise_iterations", .one, .refused("noise has one resolution", unless: ["0"])),
    kohya("multires_noise_discount", .one, .needless("noise has one resolution")),
    kohya("ip_noise_gamma", .one, .refused("latents get no further noise", unless: ["0"])),
    kohya("adaptive_noise_scale", .one, .refused("the noise offset is fixed", unless: ["0"])),
    kohya("zero_terminal_snr", .none, .refused("the schedule is the model's")),
    kohya("v_parameterization", .none, .needless("the model's scheduler says what is predicted")),
    kohya("v2", .none, .needless("the model's configuration says what it is")),
    kohya("seed", .one, .alias("--seed")),
    diffusers("num_train_epochs", .one, .alias("--epochs")),
    diffusers("snr_gamma", .one, .refused("all timesteps weigh the same", unless: ["0"])),
    diffusers("scale_lr", .none, .refused("rates are taken as they are said")),
  ]

  /// AdamW is the one optimiser there is; the variants of 8 bits are the same rule with rougher moments.
  @Sendable private static func optimiser(_ values: [String]) throws -> ForeignOption.Translation {
    switch values[0].lowercased() {
    case "adamw": return .init()
    case "adamw8bit", "pagedadamw", "pagedadamw8bit", "pagedadamw32bit":
      return .init(warning: "--optimizer_type \(values[0]): it is AdamW with moments in f32")
    default:
      throw CommandError.usage("--optimizer_type \(values[0]): expected AdamW, the one that there is")
    }
  }

  // MARK: Layers

  private static let networks: [ForeignOption] = [
    kohya("network_module", .one, .translated("", { values in
      guard values[0] == "networks.lora" else {
        throw CommandError.usage(
          "--network_module \(values[0]): expected networks.lora; concepts are low-rank layers and words")
      }
      return .init()
    })),
    kohya("network_dim", .one, .alias("--rank")),
    kohya("network_alpha", .one, .alias("--network-alpha")),
    kohya("network_args", .many, .refused("layers are those of every attention, without settings of their own")),
    kohya("network_dropout", .one, .refused("nothing is dropped", unless: ["0", "0.0"])),
    kohya("network_weights", .one, .alias("--lora")),
    kohya("dim_from_weights", .none, .needless("with --lora the file says the rank")),
    kohya("scale_weight_norms", .one, .refused("norms are left as they are", unless: ["0"])),
    kohya("network_train_unet_only", .none, .translated("--text-encoder-lr 0", { _ in
      .init(["--text-encoder-lr", "0"])
    })),
    kohya("network_train_text_encoder_only", .none, .translated("--unet-lr 0", { _ in
      .init(["--unet-lr", "0"])
    })),
    kohya("vae", .one, .refused("the autoencoder is the one in the model's folder")),
    diffusers("train_text_encoder", .none, .needless("it is trained anyway")),
  ]

  // MARK: Results

  private static let results: [ForeignOption] = [
    kohya("output_dir", .one, .part("--output output_dir/output_name.safetensors")),
    kohya("output_name", .one, .part("--output output_dir/output_name.safetensors")),
    kohya("save_model_as", .one, .refused(
      "write it as .safetensors, or as Mix-of-Show's .pth with --output NAME.pth",
      unless: ["safetensors"])),
    kohya("save_precision", .one, .needless("concepts are written in f32")),
    kohya("save_every_n_steps", .one, .alias("--keep-every")),
    kohya("save_every_n_epochs", .one, .refused("say it in steps, with --keep-every")),
    kohya("save_last_n_steps", .one, .refused("all that --keep-every writes are kept")),
    kohya("save_state", .none, .needless("the state is always saved")),
    kohya("resume", .perhaps, .translated("--resume", { values in
      guard values.isEmpty else {
        throw CommandError.usage(
          "--resume \(values[0]): the state lies beside the output, so say --resume alone")
      }
      return .init(["--resume"])
    })),
    kohya("sample_prompts", .one, .translated("--preview-prompt for every line", samplePrompts)),
    kohya("sample_every_n_steps", .one, .alias("--preview-every")),
    kohya("sample_every_n_epochs", .one, .refused("say it in steps, with --preview-every")),
    kohya("sample_at_first", .none, .refused("the first preview comes after --preview-every steps")),
    kohya("sample_sampler", .one, .needless("previews are drawn with DPM++ 2M")),
    kohya("logging_dir", .one, .needless("the log lies beside the output")),
    kohya("log_with", .one, .needless("the log is a file of JSON lines beside the output")),
    kohya("log_prefix", .one, .needless("the log has the output's name")),
    kohya("training_comment", .one, .refused("metadata has no comment")),
    kohya("no_metadata", .none, .refused("metadata tells what the file is")),
    diffusers("validation_prompt", .one, .alias("--preview-prompt")),
    diffusers("validation_steps", .one, .alias("--preview-every")),
    diffusers("validation_epochs", .one, .refused("say it in steps, with --preview-every")),
    diffusers("checkpointing_steps", .one, .alias("--save-every")),
    diffusers("checkpoints_total_limit", .one, .needless("there is one state")),
    diffusers("resume_from_checkpoint", .one, .translated("--resume", { values in
      guard values[0] == "latest" else {
        throw CommandError.usage(
          "--resume_from_checkpoint \(values[0]): expected latest; there is one state, beside the output")
      }
      return .init(["--resume"])
    })),
    diffusers("report_to", .one, .needless("the log is a file of JSON lines beside the output")),
    diffusers("push_to_hub", .none, .refused("nothing is uploaded")),
  ]

  /// The prompts of a file; what follows ` --` in a line are settings of its picture.
  @Sendable private static func samplePrompts(
    _ values: [String]
  ) throws -> ForeignOption.Translation {
    if ["toml", "json"].contains(URL(fileURLWithPath: values[0]).pathExtension.lowercased()) {
      throw CommandError.usage("--sample_prompts \(values[0]): expected a text file, a prompt in each line")
    }
    let lines = try TextFile.read(values[0]).split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    guard !lines.isEmpty else {
      throw CommandError.usage("--sample_prompts \(values[0]): there is no prompt in it")
    }
    let prompts = lines.map { line in
      String(line[..<(line.range(of: " --")?.lowerBound ?? line.endIndex)])
    }
    return .init(
      prompts.flatMap { ["--preview-prompt", $0] },
      warning: prompts == lines ? nil : "\(values[0]): what follows '--' in a line has no effect")
  }

  // MARK: Arithmetic and memory

  private static let arithmetic: [ForeignOption] = [
    kohya("config_file", .one, .part("the options that the file says, before the others")),
    kohya("mixed_precision", .one, .translated("--type f32 for no", { values in
      switch values[0] {
      case "no": .init(["--type", "f32"])
      case "bf16": .init()
      default: .init(
        warning: "--mixed_precision \(values[0]): the arithmetic is bf16 where the processor has it, else f32")
      }
    })),
  ] + ([
    ("full_fp16", .none), ("full_bf16", .none), ("fp8_base", .none),
  ] as [(String, ForeignOption.Values)]).map {
    kohya($0.0, $0.1, .needless("weights are f32, and --type says what is computed with"))
  } + ([
    ("xformers", .none), ("sdpa", .none), ("mem_eff_attn", .none), ("lowram", .none), ("highvram", .none),
    ("max_data_loader_n_workers", .one), ("persistent_data_loader_workers", .none),
    ("num_cpu_threads_per_process", .one), ("ddp_timeout", .one), ("torch_compile", .none),
  ] as [(String, ForeignOption.Values)]).map {
    kohya($0.0, $0.1, .needless("kernels are compiled here; --threads and --max-ram say what they may use"))
  } + [
    kohya("gradient_checkpointing", .none, .needless("--max-ram says how much memory may be used")),
    diffusers("enable_xformers_memory_efficient_attention", .none, .needless("kernels are compiled here")),
    diffusers("allow_tf32", .none, .needless("--type says what is computed with")),
    diffusers("dataloader_num_workers", .one, .needless("pictures are encoded before training")),
  ]
}
