import MoscFormats

extension DataTransform {
  /// The names that configurations may use.
  static let names = [
    "HumanResizeCropFinalV3", "ResizeFillMaskNew", "Resize", "BILINEARResize", "PairResize",
    "CenterCrop", "RandomCrop", "PairRandomCrop", "RandomHorizontalFlip",
    "PairRandomHorizontalFlip", "ToTensor", "Normalize", "ShuffleCaption", "EnhanceText",
  ]

  /// Transforms that only an earlier version of the reference had.
  private static let older = ["HumanResizeCropFinal", "ResizeImageText"]

  /// Reads `{type: NAME, …}`; nil when it is no transform, with the problems in the section.
  init?(_ section: inout ConfigSection) {
    defer { section.finish() }
    guard let name = section.string("type") else {
      section.problem("the transform has no 'type'")
      return nil
    }
    var made: DataTransform?
    switch name {
    case "HumanResizeCropFinalV3":
      let chance = section.double("crop_p", 0...1) ?? 0.5
      if let size = section.size("size", square: true)?.width {
        made = .placeHuman(size: size, cropChance: chance)
      }
    case "ResizeFillMaskNew":
      let chance = section.double("crop_p", 0...1)
      let scale = section.doubles("scale_ratio")
      if chance == nil { section.problem("crop_p", "is missing") }
      if let scale, scale.count == 2, scale[0] > 0, scale[0] <= scale[1], scale[1] <= 1 {
        if let size = section.size("size", square: true)?.width, let chance {
          made = .placeObject(size: size, cropChance: chance, scale: scale[0]...scale[1])
        }
      } else {
        section.problem("scale_ratio", "expected two ratios, 0 < smallest ≤ largest ≤ 1")
      }
    case "Resize", "BILINEARResize", "PairResize":
      made = section.target("size").map { .resize($0) }
    case "CenterCrop":
      made = section.size("size").map { .centerCrop(height: $0.height, width: $0.width) }
    case "RandomCrop", "PairRandomCrop":
      made = section.size("size").map {
        .randomCrop(height: $0.height, width: $0.width, isPaired: name == "PairRandomCrop")
      }
    case "RandomHorizontalFlip", "PairRandomHorizontalFlip":
      made = .randomHorizontalFlip(chance: section.double("p", 0...1) ?? 0.5)
    case "ToTensor":
      made = .toTensor
    case "Normalize":
      let lists = ["mean", "std"].map { section.doubles($0) ?? [] }
      if lists.allSatisfy({ [1, 3].contains($0.count) }), lists[1].allSatisfy({ $0 > 0 }) {
        made = .normalize(mean: lists[0].map(Float.init), deviation: lists[1].map(Float.init))
      } else {
        section.problem("expected 'mean' and 'std' of 1 or 3 numbers, 'std' above 0")
      }
    case "ShuffleCaption":
      made = section.int("keep_token_num").map { .shuffleCaption(keep: $0) }
      if made == nil, !section.isPresent("keep_token_num") {
        section.problem("keep_token_num", "is missing")
      }
    case "EnhanceText":
      let kind = section.string("enhance_type") ?? "object"
      if let templates = CaptionTemplates(rawValue: kind == "objects" ? "object" : kind) {
        made = .enhanceText(templates)
      } else {
        section.problem("enhance_type", "'\(kind)' is unknown, expected object, style or human")
      }
    default:
      // Its settings cannot be judged.
      for key in section.keys { _ = section.isPresent(key) }
      let nearest = NearestName.suggest(name, in: Self.names)
      section.problem(
        "type",
        Self.older.contains(name)
          ? "'\(name)' belongs to an earlier version of Mix-of-Show and is not supported"
          : "unknown transform '\(name)'; "
            + (nearest.map { "the nearest is '\($0)'" }
              ?? "known are \(Self.names.joined(separator: ", "))"))
    }
    guard let made else { return nil }
    self = made
  }

  /// Whether the transform changes the pixels of a picture, which must not be a tensor yet.
  var isGeometric: Bool {
    switch self {
    case .placeHuman, .placeObject, .resize, .centerCrop, .randomCrop, .randomHorizontalFlip: true
    case .toTensor, .normalize, .shuffleCaption, .enhanceText: false
    }
  }

  /// The size of every picture after the transforms, nil when it depends on the picture.
  package static func outputSize(_ transforms: [DataTransform]) -> (height: Int, width: Int)? {
    for transform in transforms.reversed() {
      switch transform {
      case .placeHuman(let size, _), .placeObject(let size, _, _): return (size, size)
      case .centerCrop(let height, let width), .randomCrop(let height, let width, _):
        return (height, width)
      case .resize(.exact(let height, let width)): return (height, width)
      case .resize(.shortSide): return nil
      default: continue
      }
    }
    return nil
  }

  /// The middle square of a picture, as other trainers prepare pictures of any kind.
  package static func plain(
    size: Int, templates: CaptionTemplates = .object
  ) -> [DataTransform] {
    [
      .resize(.shortSide(size)), .centerCrop(height: size, width: size), .toTensor,
      .normalize(mean: [0.5], deviation: [0.5]), .shuffleCaption(keep: 1),
      .enhanceText(templates),
    ]
  }
}

extension ConfigSection {
  /// One number or `[height, width]`, each a multiple of 8 in 8…4096.
  fileprivate mutating func size(
    _ key: String, square: Bool = false
  ) -> (height: Int, width: Int)? {
    guard let numbers = doubles(key) else {
      if !isPresent(key) { problem(key, "is missing") }
      return nil
    }
    let sizes = numbers.compactMap { Int(exactly: $0) }.filter { 8...4096 ~= $0 && $0 % 8 == 0 }
    guard sizes.count == numbers.count, 1...2 ~= sizes.count, !square || sizes.count == 1 else {
      problem(
        key,
        "expected \(square ? "one number" : "one or two numbers"), multiples of 8 up to 4096")
      return nil
    }
    return (sizes[0], sizes[sizes.count - 1])
  }

  /// A short side, or `[height, width]`.
  fileprivate mutating func target(_ key: String) -> DataTransform.TargetSize? {
    guard let numbers = doubles(key) else {
      if !isPresent(key) { problem(key, "is missing") }
      return nil
    }
    let sizes = numbers.compactMap { Int(exactly: $0) }.filter { 1...8192 ~= $0 }
    guard sizes.count == numbers.count, 1...2 ~= sizes.count else {
      problem(key, "expected a short side, or height and width")
      return nil
    }
    return sizes.count == 1 ? .shortSide(sizes[0]) : .exact(height: sizes[0], width: sizes[1])
  }
}
