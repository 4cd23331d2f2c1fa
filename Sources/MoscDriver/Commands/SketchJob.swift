import Foundation
import MoscImages
import MoscReport

/// What `mosc sketch` is asked for.
package struct SketchRequest: Hashable, Sendable {
  package var input: String
  package var output: String
  /// The contrast from which an edge is drawn, and the one down to which it continues.
  package var high = SketchExtractor().high
  package var low = SketchExtractor().low
  /// Blur before looking for edges, in pixels.
  package var blur = SketchExtractor().blur
  /// The standard deviation of a line's profile, in pixels.
  package var lineWidth = SketchExtractor().lineWidth

  package init(_ input: String = "", output: String = "sketch.png") {
    self.input = input
    self.output = output
  }
}

/// `mosc sketch`: the edges of a picture as a condition image for sketch adapters.
package struct SketchJob {
  package let request: SketchRequest

  package init(_ request: SketchRequest) { self.request = request }

  package func run() throws {
    let extractor = SketchExtractor(
      blur: request.blur, low: request.low, high: request.high, lineWidth: request.lineWidth)
    if let fault = extractor.fault { throw CommandError.usage(fault) }
    let file = try OutputFile(request.output)
    let image = try ImageFile.read(URL(fileURLWithPath: request.input))
    try file.write(try PNG.encode(try extractor(image)))
  }
}
