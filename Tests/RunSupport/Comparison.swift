import Foundation
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport
import TestSupport

/// How far numbers are from reference numbers.
package enum Comparison {
  /// `‖a − b‖ / ‖b‖`, infinite when the counts differ or a number is not finite.
  package static func relative(_ a: [Float], _ b: [Float]) -> Double {
    guard a.count == b.count else { return .infinity }
    var (difference, norm) = (0.0, 0.0)
    for (x, y) in zip(a, b) {
      guard x.isFinite else { return .infinity }
      difference += (Double(x) - Double(y)) * (Double(x) - Double(y))
      norm += Double(y) * Double(y)
    }
    return (difference / norm).squareRoot()
  }
}

/// A golden file, read once.
package struct GoldenFile {
  private let file: SafetensorsFile

  package init(_ name: String) throws { file = try SafetensorsFile(Goldens.url("diffusers/\(name)")) }

  package subscript(_ name: String) -> HostArray {
    get throws { try file.array(name) }
  }

  package var metadata: [String: String] { file.metadata }

  /// The folder of the model that made the goldens.
  package static var model: String { Goldens.url("mix-of-show/base").path }
}

/// What every test of compiled networks shares: the golden model, one cache, two threads.
package enum Networks {
  package static func components(
    _ precision: Precision, threads: Int = 2, cpu: String = "native"
  ) throws -> ModelComponents {
    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.threads = threads
    options.cpu = cpu
    options.verifiesEach = true
    let compiler = try Compiler(options, precision: precision, .silent)
    return try ModelComponents(ModelOptions(path: GoldenFile.model), compiler)
  }
}
