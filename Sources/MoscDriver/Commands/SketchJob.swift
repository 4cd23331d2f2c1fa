import Foundation
import MoscImages
import MoscReport
import MoscSample

/// What `mosc sketch` is asked for.
package struct SketchRequest: Hashable, Sendable {
  package var input: String
  /// A file, or a folder for numbered sketches.
  package var output: String
  /// The contrast from which an edge is drawn, and the one down to which it continues.
  package var high = SketchExtractor().high
  package var low = SketchExtractor().low
  /// Blur before looking for edges, in pixels.
  package var blur = SketchExtractor().blur
  /// The standard deviation of a line's profile, in pixels.
  package var lineWidth = SketchExtractor().lineWidth

  package init(_ input: String = "", output: String = OutputPattern.workingFolder) {
    self.input = input
    self.output = output
  }
}

/// `mosc sketch`: the edges of a picture as a condition image for sketch adapters.
package struct SketchJob {
  package let request: SketchRequest
  package let reporter: Reporter

  package init(_ request: SketchRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let extractor = SketchExtractor(
      blur: request.blur, low: request.low, high: request.high, lineWidth: request.lineWidth)
    if let fault = extractor.fault { throw CommandError.usage(fault) }
    let file = try OutputPattern(request.output, .picture, prefix: "sketch-").file()
    let image = try ImageFile.read(URL(fileURLWithPath: request.input))
    try reporter.result(try file.put(try extractor(image)).path)
  }
}
