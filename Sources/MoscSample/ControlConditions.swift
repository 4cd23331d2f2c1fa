import Foundation
import MoscFormats
import MoscImages
import MoscModel
import MoscReport

/// The ControlNets of a plan, opened and checked, with their pictures.
package struct ControlConditions: Sendable {
  package struct Part: Sendable {
    package let request: ControlRequest
    package let model: ControlNetModel
    fileprivate let image: PixelImage
  }

  package let parts: [Part]

  package var isEmpty: Bool { parts.isEmpty }

  /// The size of the first picture, rounded down to multiples of a number.
  package func size(_ factor: Int) -> (width: Int, height: Int)? {
    parts.first.map { (max(1, $0.image.width / factor) * factor, max(1, $0.image.height / factor) * factor) }
  }

  /// Opens networks and pictures.
  package init(_ options: ControlOptions, unet: UNetConfig) throws {
    parts = try options.nets.map { request in
      try Self.check(request)
      let model = try ControlNetModel(URL(fileURLWithPath: request.net), for: unet)
      guard model.network.imageChannels == 3 else {
        throw CommandError.failure(
          "'\(request.net)' reads pictures of \(model.network.imageChannels) channels, expected 3")
      }
      let image = try PictureText(request.image, "--control-image").image().rgb
      return Part(request: request, model: model, image: image)
    }
  }

  private static func check(_ request: ControlRequest) throws {
    guard request.strength.isFinite, 0...10 ~= request.strength else {
      throw CommandError.usage("--control-strength \(request.strength): expected 0 to 10")
    }
    guard 0...1 ~= request.start, 0...1 ~= request.end, request.start < request.end else {
      throw CommandError.usage(
        "--control-start \(request.start) and --control-end \(request.end): expected parts of the steps, "
          + "0 to 1, the start before the end")
    }
  }

  /// Checks sizes that are known only now.
  package func check(factor: Int) throws {
    for part in parts where part.model.network.reduction != factor {
      throw CommandError.failure(
        "'\(part.request.net)' halves its picture to 1/\(part.model.network.reduction), the model's latents are "
          + "1/\(factor) of it")
    }
  }
}

extension ControlConditions.Part {
  /// The picture that the network reads, in the size of the drawing: `[1,h,w,3]` in 0…1.
  ///
  /// - Parameter frame: the part of the picture that is drawn; nil for all of it.
  func pixels(width: Int, height: Int, _ frame: PictureFrame? = nil) throws -> HostArray {
    let image =
      if let frame { try frame.cut(try picture(width: frame.width, height: frame.height)) } else {
        try picture(width: width, height: height)
      }
    var values = image.pixels.map { Float($0) / 255 }
    if model.isBGR {
      for pixel in stride(from: 0, to: values.count, by: 3) { values.swapAt(pixel, pixel + 2) }
    }
    return HostArray(values, shape: [1, height, width, 3])
  }

  /// The same as a picture.
  package func picture(width: Int, height: Int) throws -> PixelImage {
    var sized = image
    if image.width != width || image.height != height {
      sized = try image.resized(width: width, height: height, .lanczos)
    }
    return try request.preprocessor(sized).rgb
  }

  /// Whether the network acts at a call of the model.
  package func acts(step: Int, of steps: Int) -> Bool {
    let (start, end) = (Double(step) / Double(steps), Double(step + 1) / Double(steps))
    return start >= request.start && end <= request.end
  }
}
