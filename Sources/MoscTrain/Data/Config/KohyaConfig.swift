import Foundation
import MoscFormats

/// Reads datasets in the forms of kohya's sd-scripts: a TOML file, or folders named `10_class`.
///
/// Pictures are resized to cover the resolution and cut in the middle, or at random with
/// `random_crop`; there are no buckets of other shapes. Source: sd-scripts,
/// `docs/config_README-en.md`.
package enum KohyaConfig {
  /// Reads a dataset configuration (`--dataset_config`).
  ///
  /// - Throws: `DatasetError` with all problems of the configuration and the files' names.
  package static func read(
    _ url: URL, resolution: Int = 512, maskReduction: MaskReduction = .bilinear
  ) throws(DatasetError) -> TrainingSetup {
    var root: ConfigSection
    do {
      root = ConfigSection(try ConfigNode.read(url), path: url.path)
    } catch {
      throw DatasetError([error])
    }
    var setup = TrainingSetup()
    setup.dataset.maskReduction = maskReduction
    var problems: [FormatError] = []
    let paths = ConfigPaths(config: url)
    var general = root.section("general")
    var usual = SubsetSettings()
    usual.resolution = (resolution, resolution)
    let defaults = SubsetSettings(&general, usual)
    general.finish()
    root.absorb(general)
    let datasets = root.sections("datasets")
    if datasets.isEmpty, root.problems.isEmpty { root.problem("there is no [[datasets]]") }
    var batchSizes: Set<Int> = []
    for var dataset in datasets {
      let own = SubsetSettings(&dataset, defaults)
      batchSizes.insert(own.batchSize)
      let subsets = dataset.sections("subsets")
      if subsets.isEmpty { dataset.problem("there is no [[datasets.subsets]]") }
      for var subset in subsets {
        let settings = SubsetSettings(&subset, own)
        if let words = subset.string("class_tokens") { setup.addClass(words) }
        setup.add(&subset, settings, paths, &problems)
        subset.finish()
        dataset.absorb(subset)
      }
      dataset.finish()
      root.absorb(dataset)
    }
    if batchSizes.count > 1 {
      root.problem("datasets have different values of 'batch_size': \(batchSizes.sorted())")
    }
    setup.dataset.batchSize = batchSizes.first ?? 1
    root.finish()
    setup.notes = root.notes
    problems = root.problems + problems
    guard problems.isEmpty else { throw DatasetError(problems) }
    return setup
  }

  /// Reads `--train_data_dir`: every subfolder `N_class` is seen N times, pictures without caption
  /// file are called by the class.
  ///
  /// - Throws: `DatasetError` with all problems of the files' names.
  package static func folders(
    _ url: URL, resolution: Int = 512, captionExtension: String = ".txt"
  ) throws(DatasetError) -> TrainingSetup {
    var setup = TrainingSetup()
    var problems: [FormatError] = []
    var settings = SubsetSettings()
    settings.resolution = (resolution, resolution)
    setup.dataset.transforms = [settings.transforms]
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path))?.sorted() ?? []
    for name in names {
      let folder = url.appending(path: name)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder),
        isFolder.boolValue, !name.hasPrefix(".")
      else { continue }
      guard let (repeats, words) = Self.repeats(name) else {
        setup.notes.append("\(folder.path) is ignored: its name is not 'N_class'")
        continue
      }
      setup.addClass(words)
      let images = ImageFolder(
        images: folder, captionExtension: captionExtension, fallback: words)
      let listed = images.list(&problems)
      setup.warn(images.passedOverCaptions)
      setup.dataset.images += listed.flatMap { [TrainingImage](repeating: $0, count: repeats) }
    }
    if setup.dataset.images.isEmpty, problems.isEmpty {
      problems.append(
        FormatError(url.path, nil, "there is no subfolder such as '10_cat' with pictures"))
    }
    guard problems.isEmpty else { throw DatasetError(problems) }
    return setup
  }

  /// The count and the class of a folder's name, nil for another kind of name.
  static func repeats(_ name: String) -> (Int, String)? {
    let parts = name.split(separator: "_", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[0]), 1...100_000 ~= count, !parts[1].isEmpty
    else { return nil }
    return (count, String(parts[1]))
  }
}

/// The settings that `[general]`, `[[datasets]]` and subsets share, each overriding the one before.
private struct SubsetSettings {
  var batchSize = 1
  var resolution = (height: 512, width: 512)
  var repeats = 1
  var flips = false
  var cropsRandomly = false
  var shuffles = false
  var keptTokens = 0
  var prefix = ""
  var suffix = ""
  var captionExtension = ".caption"

  init() {}

  init(_ section: inout ConfigSection, _ outer: SubsetSettings) {
    self = outer
    batchSize = section.int("batch_size", 1...1024) ?? batchSize
    if let sizes = section.doubles("resolution") {
      let whole = sizes.compactMap { Int(exactly: $0) }.filter { 8...4096 ~= $0 && $0 % 8 == 0 }
      if whole.count == sizes.count, 1...2 ~= whole.count {
        // Width comes first there.
        resolution = (whole[whole.count - 1], whole[0])
      } else {
        section.problem("resolution", "expected one or two multiples of 8 up to 4096")
      }
    }
    repeats = section.int("num_repeats", 1...100_000) ?? repeats
    flips = section.bool("flip_aug") ?? flips
    cropsRandomly = section.bool("random_crop") ?? cropsRandomly
    shuffles = section.bool("shuffle_caption") ?? shuffles
    keptTokens = section.int("keep_tokens", 0...1000) ?? keptTokens
    prefix = section.string("caption_prefix") ?? prefix
    suffix = section.string("caption_suffix") ?? suffix
    captionExtension = section.string("caption_extension") ?? captionExtension
    if let node = section.node("enable_bucket"), !node.isOff("enable_bucket") {
      section.ignore(
        "enable_bucket",
        because: "pictures of other shapes are cut to the resolution, so look whether the concept is "
          + "still in them")
    }
    for key in [
      "bucket_no_upscale", "bucket_reso_steps", "max_bucket_reso",
      "min_bucket_reso",
    ] {
      section.ignore(key, because: "every picture is cut to the resolution")
    }
    section.ignore("cache_info", because: "latents are cached anyway")
    section.ignore("network_multiplier", because: "one concept is trained at its full strength")
    section.ignore("custom_attributes", because: "nothing reads them")
    for key in [
      "color_aug", "face_crop_aug_range", "is_reg", "alpha_mask", "enable_wildcard",
      "caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_tag_dropout_rate",
      "token_warmup_min", "token_warmup_step", "keep_tokens_separator", "secondary_separator",
      "validation_split", "validation_seed", "resize_interpolation", "metadata_file",
    ] {
      guard let node = section.node(key), !node.isOff(key) else { continue }
      section.problem(key, "\(node.description) is not supported")
    }
  }

  /// What is done to every picture.
  var transforms: [DataTransform] {
    let (height, width) = resolution
    var result: [DataTransform] = [
      .resize(.shortSide(max(height, width))),
      cropsRandomly
        ? .randomCrop(height: height, width: width, isPaired: false)
        : .centerCrop(height: height, width: width),
    ]
    if flips { result.append(.randomHorizontalFlip(chance: 0.5)) }
    result += [.toTensor, .normalize(mean: [0.5], deviation: [0.5])]
    if shuffles { result.append(.shuffleCaption(keep: keptTokens)) }
    return result
  }

  func caption(_ text: String) -> String {
    [prefix, text.trimmingCharacters(in: .whitespacesAndNewlines), suffix]
      .filter { !$0.isEmpty }.joined(separator: " ")
  }
}

extension ConfigNode {
  /// Whether the value switches a feature off.
  fileprivate func isOff(_ key: String) -> Bool {
    switch value {
    case .bool(false), .int(0), .double(0), .string(""): true
    case .int(1): key == "token_warmup_min"
    default: false
    }
  }
}

extension TrainingSetup {
  /// Adds the pictures of a subset.
  fileprivate mutating func add(
    _ section: inout ConfigSection, _ settings: SubsetSettings, _ paths: ConfigPaths,
    _ problems: inout [FormatError]
  ) {
    let words = section.string("class_tokens")
    let masks = section.string("conditioning_data_dir")
    guard let folder = section.string("image_dir") else {
      if !section.isPresent("image_dir") { section.problem("'image_dir' is missing") }
      return
    }
    var list = dataset.transforms.firstIndex(of: settings.transforms)
    if list == nil {
      list = dataset.transforms.count
      dataset.transforms.append(settings.transforms)
    }
    let images = ImageFolder(
      images: paths.find(folder), captionExtension: settings.captionExtension,
      masks: masks.map(paths.find), fallback: words ?? "")
    let listed = images.list(
      transforms: list ?? 0, &problems, process: settings.caption)
    let passedOver = images.passedOverCaptions
    warn(passedOver.map { "\($0); say caption_extension = \".txt\"" })
    if words == nil {
      for image in listed where image.caption == settings.caption("") {
        problems.append(
          FormatError(
            image.image.path, nil,
            "has no caption file, and its subset no 'class_tokens'"))
      }
    }
    dataset.images += listed.flatMap { [TrainingImage](repeating: $0, count: settings.repeats) }
  }
}
