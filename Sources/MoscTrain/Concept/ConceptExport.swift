import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

/// Turns trained tensors into a file that this and other programs load.
struct ConceptExport {
  private let plan: TrainPlan
  private let concept: TrainedConcept

  init(_ plan: TrainPlan, _ concept: TrainedConcept) {
    self.plan = plan
    self.concept = concept
  }

  /// Writes the concept in the plan's layout, all or nothing.
  func write(_ groups: [ParameterGroup], to url: URL, layout: ConceptFile.Layout? = nil) throws {
    let (layers, words) = concept.contents(groups)
    let layout = layout ?? plan.layout
    guard layout == .pth else {
      return try ConceptFile.write(
        layers, words, layout: layout, metadata: try metadata(layers), to: url)
    }
    let unet = try plan.model.layers(.unet)
    let textEncoder = try plan.model.layers(.textEncoder)
    try ConceptFile.writePTH(layers, words, to: url) { layer in
      (layer.network == .unet ? unet : textEncoder)[layer.key]?.path ?? layer.key
    }
  }

  /// What kohya's tools, the web UI and ModelSpec readers look for; equal runs give equal text.
  private func metadata(_ layers: [AdapterFile.Layer]) throws -> [String: String] {
    let (setup, model) = (plan.setup, plan.setup.model)
    let unet = model.unet
    let words = plan.model.adapters.words.map(\.text).joined(separator: " ")
    let side = try plan.model.trainedSize()
    let size = setup.dataset.transforms.joined().compactMap(\.side).first ?? side
    let rank = layers.first?.rank ?? unet?.rank ?? 0
    func text(_ value: Double?) -> String { value.map { String($0) } ?? "None" }
    var result = [
      "mosc.version": Version.text,
      "ss_network_module": "networks.lora", "ss_network_dim": String(rank),
      "ss_network_alpha": text(layers.first.map { Double($0.scale) * Double($0.rank) }),
      "ss_base_model_version": "sd_v1",
      "ss_sd_model_name": plan.model.url.lastPathComponent,
      "ss_learning_rate": text(model.embedding?.learningRate),
      "ss_unet_lr": text(unet?.learningRate),
      "ss_text_encoder_lr": text(model.textEncoder?.learningRate),
      "ss_optimizer":
        "AdamW(weight_decay=\(setup.optimiser.weightDecay),betas=(\(setup.optimiser.beta1), "
        + "\(setup.optimiser.beta2)))",
      "ss_lr_scheduler": plan.schedule.shape.rawValue,
      "ss_lr_warmup_steps": String(plan.schedule.warmUp),
      "ss_max_train_steps": String(plan.steps), "ss_steps": String(plan.steps),
      "ss_batch_size_per_device": String(setup.dataset.batchSize),
      "ss_gradient_accumulation_steps": String(setup.gradientAccumulation),
      "ss_num_train_images": String(setup.dataset.images.count),
      "ss_seed": String(setup.seed), "ss_resolution": "(\(size), \(size))",
      "ss_noise_offset": text(model.noiseOffset), "ss_clip_skip": "None",
      "ss_output_name": plan.output.url.deletingPathExtension().lastPathComponent,
      "ss_dataset_dirs": directories,
      "modelspec.sai_model_spec": "1.0.1",
      "modelspec.architecture": "stable-diffusion-v1/lora",
      "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
      "modelspec.title": plan.output.url.deletingPathExtension().lastPathComponent,
      "modelspec.resolution": "\(size)x\(size)",
      "modelspec.trigger_phrase": words,
    ]
    if let weight = model.attentionWeight { result["mosc.attn_reg_weight"] = String(weight) }
    result["mosc.concept"] = words
    return result
  }

  /// Folders of pictures by name, without where they are.
  private var directories: String {
    let folders = Dictionary(grouping: plan.setup.dataset.images) {
      $0.image.deletingLastPathComponent().lastPathComponent
    }
    let parts = folders.sorted { $0.key < $1.key }.map { name, images -> (String, JSONValue) in
      let distinct = Set(images.map(\.image)).count
      let repeats = images.count / max(1, distinct)
      return (name, .fields([("n_repeats", .int(repeats)), ("img_count", .int(distinct))]))
    }
    return JSONValue.fields(parts).description
  }
}

extension DataTransform {
  /// The side of the pictures that the transform makes.
  fileprivate var side: Int? {
    switch self {
    case .placeHuman(let size, _), .placeObject(let size, _, _): size
    case .resize(.exact(let height, _)), .centerCrop(let height, _), .randomCrop(let height, _, _):
      height
    default: nil
    }
  }
}
