import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc run t2i_adapter`: the maps of condition images.
package struct T2IAdapterJob {
  package let request: RunRequest
  package let reporter: Reporter

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    guard let path = request.model.path else {
      throw CommandError.usage("run t2i_adapter needs the adapter's file: -m FILE")
    }
    let image = try Port("image", .image).imported(
      try TensorFile.read(request.input, "image"), batch: 1)
    let model = try T2IAdapterModel(URL(fileURLWithPath: path))
    let compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let maps = try model.maps(
      of: image, compiler, usesEvaluator: request.usesEvaluator)
    try TensorFile.write(
      maps.enumerated().map { (T2IAdapter.mapName($0), $1.channelsFirst) },
      metadata: ["mosc": Version.text, "type": compiler.target.precision.rawValue],
      to: output)
  }
}
