import Foundation
import MoscDriver
import MoscFormats
import TestSupport

/// How far numbers are from reference numbers.
enum Comparison {
  /// `‖a − b‖ / ‖b‖`, infinite when the counts differ or a number is not finite.
  static func relative(_ a: [Float], _ b: [Float]) -> Double {
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
struct GoldenFile {
  private let file: SafetensorsFile

  init(_ name: String) throws { file = try SafetensorsFile(Goldens.url("diffusers/\(name)")) }

  subscript(_ name: String) -> TensorValue {
    get throws { TensorValue(try file.array(name)) }
  }

  var metadata: [String: String] { file.metadata }

  /// The folder of the model that made the goldens.
  static var model: String { Goldens.url("mix-of-show/base").path }
}

/// What every test of compiled networks shares: the golden model, no cache, two threads.
enum Networks {
  static func components(
    _ precision: Precision, threads: Int = 2, cpu: String = "native"
  ) throws -> ModelComponents {
    var options = CompilationOptions()
    options.usesCache = false
    options.threads = threads
    options.cpu = cpu
    options.verifiesEach = true
    let compiler = try Compiler(options, precision: precision, .silent)
    return try ModelComponents(ModelOptions(path: GoldenFile.model), compiler)
  }
}
