import Foundation
import MoscCommandLines
import MoscDriver
import MoscFormats
import MoscReport
import TestSupport
import Testing

/// Command lines of other programs.
@Suite struct CommandLineTranslationTests {
  private let scratch = Scratch()

  private func translate(_ text: String) throws -> CommandLineTranslation {
    try CommandLineTranslation(text.split(separator: " ").map(String.init))
  }

  @Test func namesAreTranslated() throws {
    for (theirs, ours) in [
      ("train --train_data_dir d --network-dim 8 --unet_lr=1e-4 -o x",
        "train --data d --rank 8 --unet-lr 1e-4 -o x"),
      ("train --max_train_steps=5 --sample_every_n_steps 2 --save_every_n_steps 3",
        "train --steps 5 --preview-every 2 --keep-every 3"),
      ("train --resolution 512,512 --lr_scheduler constant_with_warmup --resume --seed 1",
        "train --resolution 512 --lr-scheduler constant --resume --seed 1"),
      ("train --network_module networks.lora --mixed_precision no --optimizer_type AdamW",
        "train --type f32"),
      ("train --embedding_norm 2 --data a_b -o my_cat", "train --embedding-norm 2 --data a_b -o my_cat"),
      ("train --prior_loss_weight 1.0 --keep_tokens 0", "train"),
      ("fuse --concept_cfg c.json --pretrained_models m --optimize_textenc_iters 5 --optimize_unet_iters=2",
        "fuse c.json --model m --textenc-iters 5 --unet-iters 2"),
      ("sample --pretrained_model m --negative_prompt --ugly_thing --prompt_rewrite a_b",
        "sample --model m --negative-prompt --ugly_thing --prompt-rewrite a_b"),
      ("compile unet --a_b", "compile unet --a_b"), ("train -- --a_b", "train -- --a_b"), ("", ""),
    ] {
      let line = try translate(theirs)
      #expect(line.arguments.joined(separator: " ") == ours)
      #expect(line.warnings.isEmpty, "\(theirs)")
    }
  }

  @Test func whatHasNoEffectIsSaidOnce() throws {
    let line = try translate("train --xformers --cache_latents --max_data_loader_n_workers 8 -q")
    #expect(line.arguments == ["train", "-q"])
    #expect(line.warnings.count == 1)
    for name in ["--xformers (", "--cache_latents (", "--max_data_loader_n_workers ("] {
      #expect(line.warnings[0].contains(name))
    }
    #expect(try translate("train --optimizer_type AdamW8bit").warnings.count == 1)
  }

  /// What is not there is refused by its name, with the reason.
  @Test(arguments: [
    "--reg_data_dir d", "--min_snr_gamma 5", "--optimizer_type Lion", "--network_module lycoris.kohya",
    "--resolution 512,768", "--clip_skip 2", "--caption_dropout_rate=0.1", "--shuffle_caption",
    "--resume state-dir", "--resume_from_checkpoint checkpoint-500", "--network_args conv_dim=4 x=1",
    "--save_model_as ckpt", "--sample_prompts p.json", "--with-prior-preservation", "--steps_of",
  ])
  func missingFeaturesAreNamed(options: String) throws {
    if options == "--steps_of" {
      // An option of nobody is left to the parser.
      #expect(try translate("train \(options)").arguments == ["train", "--steps-of"])
      return
    }
    let error = #expect(throws: CommandError.self) { try translate("train \(options)") }
    let name = options.prefix { $0 != " " && $0 != "=" }.replacingOccurrences(of: "-", with: "_")
      .replacingOccurrences(of: "___", with: "--").replacingOccurrences(of: "__", with: "--")
    #expect(error?.status == .usage && error?.message.hasPrefix(name) == true, "\(error?.message ?? "")")
  }

  /// The program itself reads what was translated, and warns even with -q.
  @Test func theProgramUnderstandsThem() throws {
    let outcome = try MoscProgram.run(
      "train", "-q", "--train_data_dir", scratch.path("none"), "--placeholder_token", "<a1> <a2>",
      "--output_dir", scratch.path("made/here"), "--output_name", "x", "--xformers")
    #expect(outcome.status == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("none: there is no such folder"))
    #expect(outcome.errors.hasPrefix("warning: without effect: --xformers ("))
    #expect(FileManager.default.fileExists(atPath: scratch.path("made/here")))
    let refused = try MoscProgram.run("train", "--reg_data_dir", "d", "-o", scratch.path("x.pth"))
    #expect(refused.status == 2 && refused.errors.contains("--reg_data_dir of kohya's sd-scripts"))
    let strange = try MoscProgram.run("train", "--reg_data_drr", "d", "-o", scratch.path("x.pth"))
    #expect(strange.status == 2 && strange.errors.contains("reg-data-drr"))
  }

  @Test func mixOfShowsScripts() throws {
    let options = try scratch.write("o.yml", "name: my_cat\n")
    let unnamed = try scratch.write("unnamed.yml", "manual_seed: 1\n")
    #expect(throws: CommandError.self) { try translate("train -opt \(unnamed.path)") }
    #expect(try translate("train -opt \(options.path) -o x.pth").arguments
      == ["train", "-o", "x.pth", "--config", options.path])
    let fused = scratch.path("fused")
    #expect(try translate("fuse --concept_cfg c.json --save_path \(fused) --suffix 2").arguments == [
      "fuse", "c.json", "--full-model", "\(fused)/combined_model_2", "--output",
      "\(fused)/combined_model_2.safetensors",
    ])
    let line = try CommandLineTranslation([
      "sample", "--pretrained_model", "m", "--t2i-adapter", "pose.pth", "--keypose_condition", "p.png",
      "--keypose_adaptor_weight", "0.5", "--region_keypose_adaptor_weight", "[0,0,8,8]-0.8",
      "--save_dir", scratch.path("s"), "--prompt", "a <cat1>, 50% off", "--suffix", "x",
    ])
    #expect(line.arguments == [
      "sample", "--model", "m", "--t2i-adapter", "pose.pth", "--prompt", "a <cat1>, 50% off",
      "--t2i-image", "p.png", "--t2i-strength", "0.5", "--t2i-region", "[0,0,8,8]-0.8",
      "--seed", "16141", "--steps", "50", "--cfg-scale", "7.5", "--output",
      "\(scratch.path("s"))/seed_16141/a_<cat1>,_50__off---x.png",
    ])
    #expect(throws: CommandError.self) { try translate("sample --sketch_condition a.png -p x") }
    #expect(throws: CommandError.self) { try translate("fuse --suffix a") }
  }

  /// kohya's main configuration is its command line in a file.
  @Test func mainConfigurations() throws {
    let prompts = try scratch.write("p.txt", "# mine\na <a1>, at night --n blurry --s 20\n\na <a1>\n")
    let file = try scratch.write("main.toml", """
      [model]
      pretrained_model_name_or_path = "m"
      xformers = true
      lowram = false
      [training]
      learning_rate = 1e-4
      network_dim = 8
      sample_prompts = "\(prompts.path)"
      optimizer_args = []
      """)
    for option in ["--config_file", "--config"] {
      let line = try CommandLineTranslation(
        ["train", option, file.path, "--network_dim", "4", "--data", "cats"])
      #expect(line.arguments == [
        "train", "--model", "m", "--learning-rate", "0.0001", "--rank", "8", "--preview-prompt",
        "a <a1>, at night", "--preview-prompt", "a <a1>", "--rank", "4",
        "--data", "cats",
      ])
      #expect(line.warnings.count == 2, "\(line.warnings)")
    }
    let dataset = try scratch.write("data.toml", "[[datasets]]\n")
    #expect(try translate("train --dataset_config \(dataset.path)").arguments
      == ["train", "--config", dataset.path])
    #expect(throws: CommandError.self) { try translate("train --config_file \(dataset.path)") }
    let bad = try scratch.write("bad.toml", "unet_lr = [[1]]\n")
    let error = #expect(throws: FormatError.self) { try translate("train --config_file \(bad.path)") }
    #expect(error?.description.contains("unet_lr") == true)
  }

  /// The table in the docs is that of the program.
  @Test func theDocsHaveTheTable() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../../docs/command-lines.md").standardizedFileURL
    let text = try String(contentsOf: file, encoding: .utf8)
    let mark = "<!-- From here on: `ForeignOptions.table`. -->\n"
    let begin = try #require(text.range(of: mark)).upperBound
    let expected = text[..<begin] + "\n" + ForeignOptions.table
    if try TestFile.isBlessing(ProcessInfo.processInfo.environment), text != expected {
      try expected.write(to: file, atomically: true, encoding: .utf8)
      return
    }
    #expect(text == expected, "MOSC_BLESS=1 writes the table")
  }

  /// Names are those of one option each, and no command reads an option both ways.
  @Test(arguments: ForeignOptions.commands) func namesAreSaidOnce(command: String) throws {
    let names = ForeignOptions.of(command).map(\.name)
    #expect(Set(names).count == names.count)
    let help = try MoscProgram.run(command, "--help-hidden").output
    for option in ForeignOptions.of(command) {
      guard case .alias(let ours) = option.fate else { continue }
      #expect(help.contains(ours), "\(option.name) is \(ours)")
    }
  }

  /// Options without pictures are refused by the line at which they begin.
  @Test func optionsWithoutPictures() throws {
    let file = try scratch.write("run.toml", "# a run\nnetwork_dim = 8\n")
    for option in ["--config", "--config_file"] {
      #expect { try CommandLineTranslation(["train", option, file.path]) } throws: {
        "\($0)".contains("run.toml: line 2: holds options of a run")
      }
    }
    let whole = try CommandLineTranslation(["train", "--config", file.path, "--data", "cats"])
    #expect(whole.arguments.contains("--data"))
  }
}
