import Foundation
import MoscFormats

/// Reads the training configurations of Mix-of-Show as they are.
///
/// Every key of its options and concept lists is known; an unknown one is a problem with the
/// nearest known name, one without effect in the reference or here is noted. Source: Mix-of-Show,
/// `train_edlora.py`, `mixofshow/data/lora_dataset.py`, `mixofshow/pipelines/trainer_edlora.py`.
package enum MixOfShowConfig {
  /// Reads options and everything they name.
  ///
  /// - Throws: `DatasetError` with all problems of the configuration and the files' names; what is
  ///   in the pictures is checked by `TrainingSetup.problems`.
  package static func read(
    _ url: URL, maskReduction: MaskReduction = .bilinear
  ) throws(DatasetError) -> TrainingSetup {
    var root: ConfigSection
    do {
      root = ConfigSection(try ConfigNode.read(url), path: url.path)
    } catch {
      throw DatasetError([error])
    }
    var reader = Reader(paths: ConfigPaths(config: url))
    reader.setup.dataset.maskReduction = maskReduction
    reader.read(&root)
    root.finish()
    reader.setup.notes = root.notes
    let problems = root.problems + reader.problems
    guard problems.isEmpty else { throw DatasetError(problems) }
    return reader.setup
  }

  private struct Reader {
    let paths: ConfigPaths
    var setup = TrainingSetup()
    /// Problems outside the options themselves.
    var problems: [FormatError] = []

    mutating func read(_ root: inout ConfigSection) {
      if let name = root.string("name") { setup.name = name }
      if let seed = root.int("manual_seed") { setup.seed = UInt64(seed) }
      setup.gradientAccumulation = root.int("gradient_accumulation_steps", 1...10_000) ?? 1
      root.ignore("mixed_precision", because: "the arithmetic is chosen by --type")
      var datasets = root.section("datasets")
      var pictures = datasets.section("train")
      readTrainingSet(&pictures)
      datasets.absorb(pictures)
      var preview = datasets.section("val_vis")
      readPreview(&preview)
      datasets.absorb(preview)
      datasets.finish()
      root.absorb(datasets)
      var model = root.section("models")
      readModel(&model)
      root.absorb(model)
      var train = root.section("train")
      readTraining(&train)
      root.absorb(train)
      var validation = root.section("val")
      readValidation(&validation)
      root.absorb(validation)
      var logger = root.section("logger")
      setup.printInterval = logger.int("print_freq", 1...Int.max) ?? 10
      setup.saveInterval = logger.int("save_checkpoint_freq", 1...Int.max) ?? 10_000
      logger.finish()
      root.absorb(logger)
      var path = root.section("path")
      path.ignore("pretrain_network", because: "the reference no longer reads it")
      path.finish()
      root.absorb(path)
    }

    // MARK: Data

    private mutating func readTrainingSet(_ section: inout ConfigSection) {
      defer { section.finish() }
      section.ignore("name", because: "there is one kind of dataset")
      let usesCaptions = section.bool("use_caption") ?? false
      let usesMasks = section.bool("use_mask") ?? false
      let mapping = CaptionMapping(section.mapping("replace_mapping") ?? [])
      setup.dataset.batchSize = section.int("batch_size_per_gpu", 1...1024) ?? 2
      setup.dataset.enlargeRatio = section.int("dataset_enlarge_ratio", 1...1_000_000) ?? 1
      setup.dataset.transforms = [transforms(&section)]
      guard let list = section.string("concept_list") else {
        if !section.isPresent("concept_list") { section.problem("'concept_list' is missing") }
        return
      }
      readConcepts(paths.find(list), usesCaptions, usesMasks, mapping)
    }

    private mutating func transforms(_ section: inout ConfigSection) -> [DataTransform] {
      var result: [DataTransform] = []
      for var entry in section.sections("instance_transform") {
        if let transform = DataTransform(&entry) {
          if transform.isGeometric, result.contains(.toTensor) {
            entry.problem("comes after 'ToTensor', which ends the picture")
          }
          result.append(transform)
        }
        section.absorb(entry)
      }
      if result.isEmpty, section.problems.isEmpty {
        section.problem("'instance_transform' is missing or empty")
      }
      return result
    }

    private mutating func readConcepts(
      _ url: URL, _ usesCaptions: Bool, _ usesMasks: Bool, _ mapping: CaptionMapping
    ) {
      let node: ConfigNode
      do {
        node = try ConfigNode.read(url)
      } catch {
        problems.append(error)
        return
      }
      guard let elements = node.elements, !elements.isEmpty else {
        problems.append(
          FormatError(url.path, nil, "expected a list of concepts, found \(node.description)"))
        return
      }
      let near = ConfigPaths(config: url)
      func find(_ path: String) -> URL {
        let first = paths.find(path)
        return FileManager.default.fileExists(atPath: first.path) ? first : near.find(path)
      }
      for (index, element) in elements.enumerated() {
        var section = ConfigSection(element, path: url.path, place: "[\(index)]")
        let prompt = section.string("instance_prompt")
        let images = section.string("instance_data_dir")
        let captions = section.string("caption_dir")
        let masks = section.string("mask_dir")
        // Written by other trainers' tools, unused here as there.
        section.ignore("class_prompt", because: "there are no class pictures")
        section.ignore("class_data_dir", because: "there are no class pictures")
        if prompt == nil { section.problem("'instance_prompt' is missing") }
        if let images {
          let folder = ImageFolder(
            images: find(images), captions: captions.map(find),
            readsCaptions: usesCaptions && captions != nil,
            masks: usesMasks ? masks.map(find) : nil, fallback: prompt ?? "")
          setup.dataset.images += folder.list(&problems) { mapping($0) }
          setup.warn(folder.passedOverCaptions)
        } else {
          section.problem("'instance_data_dir' is missing")
        }
        section.finish()
        problems += section.problems
      }
    }

    private mutating func readPreview(_ section: inout ConfigSection) {
      defer { section.finish() }
      section.ignore("name", because: "there is one kind of dataset")
      var validation = setup.validation
      validation.samplesPerPrompt = section.int("num_samples_per_prompt", 0...10_000) ?? 8
      validation.batchSize = section.int("batch_size_per_gpu", 1...1024) ?? 4
      validation.sharesLatents = section.bool("share_latent_across_prompt") ?? true
      if let size = section.doubles("latent_size") {
        let sizes = size.compactMap { Int(exactly: $0) }
        if sizes.count == 3, sizes.allSatisfy({ 1...4096 ~= $0 }) {
          validation.latentSize = sizes
        } else {
          section.problem("latent_size", "expected channels, height and width")
        }
      }
      let mapping = CaptionMapping(section.mapping("replace_mapping") ?? [])
      if let node = section.node("prompts") {
        var lines: [String] = []
        if let elements = node.elements {
          lines = elements.map { if case .string(let text) = $0.value { text } else { "" } }
        } else if let path = section.string("prompts") {
          let url = paths.find(path)
          do {
            lines = String(decoding: try readFile(url), as: UTF8.self)
              .textLines.map(String.init)
          } catch {
            problems.append(error)
          }
        }
        validation.prompts = lines.map { mapping($0) }.filter { !$0.isEmpty }
      }
      setup.validation = validation
    }

    // MARK: Everything else

    private static func tuning(_ section: inout ConfigSection, _ rate: Double) -> Double? {
      let isEnabled = section.bool("enable_tuning") ?? true
      let rate = section.double("lr", 0...10) ?? rate
      return isEnabled ? rate : nil
    }

    private static func lora(
      _ section: inout ConfigSection, _ rate: Double, attention: String, block: String
    ) -> LoRASettings? {
      let rate = tuning(&section, rate)
      let isPresent = section.has("lora_cfg")
      var config = section.section("lora_cfg")
      var result = LoRASettings(learningRate: rate ?? 0, layers: .attention)
      result.rank = config.int("rank", 1...1024) ?? 4
      result.alpha = config.double("alpha") ?? 1
      switch config.string("where") {
      case nil, attention: break
      case block: result.layers = .block
      case let other?:
        config.problem("where", "'\(other)' is unknown, expected '\(attention)' or '\(block)'")
      }
      config.finish()
      section.absorb(config)
      section.finish()
      return rate != nil && isPresent ? result : nil
    }

    private mutating func readModel(_ section: inout ConfigSection) {
      defer { section.finish() }
      var model = ModelSettings()
      model.path = section.string("pretrained_path")
      model.isLayerwise = section.bool("enable_edlora") ?? true
      let words = section.string("new_concept_token")
      let starts = section.string("initializer_token")
      if let words {
        do {
          model.words = try TrainedWord.parse(words: words, starts: starts, path: section.path)
        } catch {
          section.problem("new_concept_token", error.message)
        }
      } else if !section.isPresent("new_concept_token") {
        section.problem("'new_concept_token' is missing")
      }
      model.noiseOffset = section.double("noise_offset")
      model.attentionWeight = section.double("attn_reg_weight")
      model.regularisesFullIdentity = section.bool("reg_full_identity") ?? true
      model.usesMaskLoss = section.bool("use_mask_loss") ?? true
      model.checkpointsGradients = section.bool("gradient_checkpoint") ?? false
      if let alphas = section.doubles("alpha_list") { setup.validation.alphas = alphas }
      section.ignore("enable_xformers", because: "attention kernels are compiled here")
      var tuning = section.section("finetune_cfg")
      var embedding = tuning.section("text_embedding")
      let decay = embedding.double("weight_decay")
      model.embedding = Self.tuning(&embedding, 1e-3).map {
        TuningSettings(learningRate: $0, weightDecay: decay)
      }
      embedding.finish()
      tuning.absorb(embedding)
      var encoder = tuning.section("text_encoder")
      model.textEncoder = Self.lora(
        &encoder, 1e-5, attention: "CLIPAttention", block: "CLIPEncoderLayer")
      tuning.absorb(encoder)
      var unet = tuning.section("unet")
      model.unet = Self.lora(&unet, 1e-4, attention: "Attention", block: "Transformer2DModel")
      tuning.absorb(unet)
      tuning.finish()
      section.absorb(tuning)
      setup.model = model
    }

    private mutating func readTraining(_ section: inout ConfigSection) {
      defer { section.finish() }
      var optimiser = OptimiserSettings()
      var adam = section.section("optim_g")
      if let type = adam.string("type"), type != "AdamW" {
        adam.problem("type", "'\(type)' is not supported, expected 'AdamW'")
      }
      adam.ignore("lr", because: "every group of parameters has its own rate")
      optimiser.weightDecay = adam.double("weight_decay") ?? 0.01
      if let betas = adam.doubles("betas") {
        if betas.count == 2, betas.allSatisfy({ $0 >= 0 && $0 < 1 }) {
          (optimiser.beta1, optimiser.beta2) = (betas[0], betas[1])
        } else {
          adam.problem("betas", "expected two numbers from 0 to below 1")
        }
      }
      adam.finish()
      section.absorb(adam)
      optimiser.embeddingNormThreshold = section.double("emb_norm_threshold") ?? 0.55
      section.ignore("scheduler", because: "the reference always uses 'linear'")
      section.ignore("unet_kv_drop_rate", because: "the reference no longer reads it")
      setup.optimiser = optimiser
    }

    private mutating func readValidation(_ section: inout ConfigSection) {
      defer { section.finish() }
      setup.validation.isEnabled = section.bool("val_during_save") ?? true
      section.ignore("compose_visualize", because: "previews are always one picture")
      // A shipped configuration has it among the models, where the reference does not find it.
      if let alphas = section.doubles("alpha_list") { setup.validation.alphas = alphas }
      var sample = section.section("sample")
      setup.validation.steps = sample.int("num_inference_steps", 1...10_000) ?? 50
      setup.validation.guidance = sample.double("guidance_scale") ?? 7.5
      sample.finish()
      section.absorb(sample)
    }
  }
}
