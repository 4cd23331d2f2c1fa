import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscReport

/// The picture and the mask of a request, in the size of the finished picture.
struct SourcePicture: Sendable {
  /// Red, green and blue; added margins repeat the edges.
  private(set) var image: PixelImage
  /// What the mask marks, one channel; nil when there is none.
  private(set) var mask: PixelImage?
  /// What was added at the sides, one channel; nil when nothing was.
  private(set) var margin: PixelImage?
  /// What was changed about the files, one sentence each.
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - width, height: the size that the picture is brought to, margins apart; nil for its own.
  /// - Throws: for files that cannot be read, a mask of other proportions, and a picture that gets too large.
  init(_ options: PictureOptions, path: String, width: Int?, height: Int?) throws {
    let file = try PictureText(path, "--init-img").image()
    (image, mask) = (file.onWhite, nil)
    if let path = options.mask { mask = try readMask(path) }
    try resize(width, height, options.resize)
    if options.invertsMask, let marks = mask {
      mask?.pixels = marks.pixels.map { 255 - $0 }
    }
    try extend(options.margins)
  }

  private mutating func readMask(_ path: String) throws -> PixelImage {
    let text = PictureText(path, "--mask")
    let marks = try text.image().mask(path: text.name)
    if marks.width == image.width, marks.height == image.height { return marks }
    let found = "\(marks.width)x\(marks.height)"
    let size = "\(image.width)x\(image.height)"
    // Equal but for the rounding of one side.
    let (a, b) = (marks.width * image.height, marks.height * image.width)
    guard abs(a - b) <= max(image.width, image.height) else {
      throw CommandError.failure(
        "'\(text.name)' is a mask of \(found) for a picture of \(size): expected that size, or its proportions")
    }
    notes.append("the mask of \(found) is resized to the picture's \(size)")
    return try marks.resized(width: image.width, height: image.height, .bilinear)
  }

  /// Brings picture and mask to a size; of one that is given the other follows, by whole latents.
  private mutating func resize(_ width: Int?, _ height: Int?, _ mode: PictureOptions.Resize) throws {
    guard width != nil || height != nil else { return }
    func following(_ given: Int, _ own: Int, _ other: Int) -> Int {
      max(8, Int((Double(given) * Double(other) / Double(own) / 8).rounded()) * 8)
    }
    let newWidth = width ?? following(height ?? 0, image.height, image.width)
    let newHeight = height ?? following(width ?? 0, image.width, image.height)
    if newWidth == image.width, newHeight == image.height { return }
    notes.append(
      "the picture of \(image.width)x\(image.height) is brought to \(newWidth)x\(newHeight) (--resize-mode \(mode.rawValue))")
    mask = try mask?.fitted(newWidth, newHeight, mode, .bilinear)
    image = try image.fitted(newWidth, newHeight, mode, .lanczos)
  }

  private mutating func extend(_ margins: PictureOptions.Margins) throws {
    guard !margins.isEmpty else { return }
    let (width, height) = (image.width + margins.left + margins.right, image.height + margins.top + margins.bottom)
    guard width <= SamplePlan.mostSide, height <= SamplePlan.mostSide else {
      throw CommandError.usage(
        "--outpaint: the picture would have \(width)x\(height) pixels, expected at most \(SamplePlan.mostSide) a side")
    }
    let inside = PixelImage(
      width: image.width, height: image.height, channels: 1,
      pixels: [UInt8](repeating: 255, count: image.width * image.height))
    func extended(_ image: PixelImage) -> PixelImage {
      image.window(left: -margins.left, top: -margins.top, width: width, height: height)
    }
    var outside = inside.cropped(left: -margins.left, top: -margins.top, width: width, height: height)
    outside.pixels = outside.pixels.map { 255 - $0 }
    mask = mask.map { $0.cropped(left: -margins.left, top: -margins.top, width: width, height: height) }
    (image, margin) = (extended(image), outside)
  }
}

extension PixelImage {
  /// The picture brought to a size in one of the web UI's ways.
  package func fitted(
    _ newWidth: Int, _ newHeight: Int, _ mode: PictureOptions.Resize, _ filter: ResamplingFilter
  ) throws -> PixelImage {
    if mode == .resize { return try resized(width: newWidth, height: newHeight, filter) }
    let (across, down) = (Double(newWidth) / Double(width), Double(newHeight) / Double(height))
    let scale = mode == .crop ? max(across, down) : min(across, down)
    let scaled = try resized(
      width: max(1, Int((Double(width) * scale).rounded())),
      height: max(1, Int((Double(height) * scale).rounded())), filter)
    return scaled.window(
      left: (scaled.width - newWidth) / 2, top: (scaled.height - newHeight) / 2, width: newWidth,
      height: newHeight)
  }
}

/// A picture as an option names it: a file, or its bytes in the text itself.
struct PictureText: Hashable, Sendable {
  private let text: String
  private let option: String

  init(_ text: String, _ option: String) { (self.text, self.option) = (text, option) }

  /// The bytes in the text, if it holds them.
  private var encoded: Substring? {
    guard text.hasPrefix("data:image/"), let comma = text.firstIndex(of: ","),
      text[..<comma].hasSuffix(";base64")
    else { return nil }
    return text[text.index(after: comma)...]
  }

  /// What errors call it.
  var name: String { encoded == nil ? text : "the picture of \(option)" }

  /// What pictures that were made with it call it.
  var title: String { path.map { URL(fileURLWithPath: $0).lastPathComponent } ?? "sent with the request" }

  /// The file; nil when the text holds the picture.
  var path: String? { encoded == nil ? text : nil }

  private func data() throws -> Data {
    guard let encoded else { return try readFile(URL(fileURLWithPath: text)) }
    guard let data = Data(base64Encoded: String(encoded)) else {
      throw CommandError.failure("\(name) is no base64 text")
    }
    return data
  }

  func image() throws -> PixelImage { try ImageFile.decode(try data(), path: name) }

  /// The SHA-256 of its bytes.
  func hash() throws -> String { FileHash.sha256(try data()) }
}
