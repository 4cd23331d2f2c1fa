import Foundation
import MoscFormats

/// `mosc sketch`: the edges of a picture as a condition image for sketch adapters.
package struct SketchJob {
  package let input: String
  package let output: String
  package let extractor: SketchExtractor

  package init(_ input: String, output: String, _ extractor: SketchExtractor) {
    self.input = input
    self.output = output
    self.extractor = extractor
  }

  package func run() throws {
    if let fault = extractor.fault { throw DriverError.usage(fault) }
    let file = try OutputFile(output)
    let image = try ImageFile.read(URL(fileURLWithPath: input))
    try file.write(try PNG.encode(try extractor(image)))
  }
}
