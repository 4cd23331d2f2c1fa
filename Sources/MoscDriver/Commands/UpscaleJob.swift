import Foundation
import MoscEngine
import MoscImages
import MoscModel
import MoscReport
import MoscSample

/// What `mosc upscale` is asked for.
package struct UpscaleRequest: Hashable, Sendable {
  package var input: String
  /// The file of the network.
  package var upscaler: String
  /// A file, or a folder for numbered pictures.
  package var output = OutputPattern.workingFolder
  /// How many times larger the picture becomes; nil for what the network does.
  package var scale: Double?
  package var tileSize = PictureUpscaler.usualTileSize
  package var precision: Precision?
  package var compiler = CompilationOptions()

  package init(_ input: String, upscaler: String) { (self.input, self.upscaler) = (input, upscaler) }
}

/// `mosc upscale`: enlarges a picture with a network.
package struct UpscaleJob {
  package let request: UpscaleRequest
  package let reporter: Reporter

  package init(_ request: UpscaleRequest, _ reporter: Reporter) {
    (self.request, self.reporter) = (request, reporter)
  }

  package func run() throws {
    if let scale = request.scale, !(scale > 0 && scale <= 64) {
      throw CommandError.usage("--scale \(scale): expected a number above 0, up to 64")
    }
    let file = try OutputPattern(request.output, .picture, prefix: "upscaled-").file()
    let picture = try ImageFile.read(URL(fileURLWithPath: request.input))
    let compiler = try Compiler(request.compiler, precision: request.precision, reporter)
    let upscaler = try PictureUpscaler(request.upscaler, tileSize: request.tileSize, compiler)
    if picture.channels == 4 { reporter.warn("the transparency of '\(request.input)' is dropped") }
    let scale = request.scale ?? Double(upscaler.model.config.scale)
    let wanted = (
      width: max(1, Int((Double(picture.width) * scale).rounded())), height: max(1, Int((Double(picture.height) * scale).rounded()))
    )
    reporter.info(
      "\(picture.width)x\(picture.height) becomes \(wanted.width)x\(wanted.height), "
        + "\(upscaler.model.config.blocks) blocks, \(compiler.target.precision.rawValue)")
    let large = try upscaler.enlarge(picture).resized(width: wanted.width, height: wanted.height, .lanczos)
    try reporter.result(try file.put(large, texts: [("Software", Version.text)]).path)
  }
}
