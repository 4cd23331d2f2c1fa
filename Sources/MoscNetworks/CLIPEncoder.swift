import FoundationEssentials
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport

/// The compiled towers of a CLIP model: pictures and texts to features of unit length.
package final class CLIPEncoder {
  package let model: CLIPModelFolder
  private let compiler: Compiler
  private var programs: [CLIPModelFolder.Function: Program] = [:]
  /// Pictures or texts that are encoded together.
  private static let batch = 8

  package init(_ model: CLIPModelFolder, _ compiler: Compiler) {
    self.model = model
    self.compiler = compiler
  }

  /// The features of pictures.
  ///
  /// - Parameter values: the numbers of a picture, as `CLIPPictureConfig` makes them.
  package func pictures(_ count: Int, _ values: (Int) throws -> [Float]) throws -> [[Float]] {
    let side = model.config.vision.side
    return try features(count, .vision(batch: Self.batch)) { indices in
      let numbers = try indices.flatMap { try values($0) }
      return ["image": HostArray(numbers, shape: [indices.count, side, side, 3])]
    }
  }

  /// The features of texts.
  package func texts(_ texts: [String]) throws -> [[Float]] {
    try features(texts.count, .text(batch: Self.batch)) { indices in
      model.inputs(indices.map { texts[$0] })
    }
  }

  private func features(
    _ count: Int, _ function: CLIPModelFolder.Function,
    _ inputs: ([Int]) throws -> [String: HostArray]
  ) throws -> [[Float]] {
    var result: [[Float]] = []
    guard count > 0 else { return result }
    let program = try program(function)
    for first in stride(from: 0, to: count, by: Self.batch) {
      // The last batch is filled up with its last element.
      let indices = (first..<first + Self.batch).map { min($0, count - 1) }
      guard let features = try program.run(try inputs(indices))["features"] else {
        throw CommandError.failure("the judge gave no 'features'")
      }
      let length = features.shape[1]
      for row in 0..<min(Self.batch, count - first) {
        result.append(try unit(features.floats[row * length..<(row + 1) * length]))
      }
    }
    return result
  }

  private func program(_ function: CLIPModelFolder.Function) throws -> Program {
    if let known = programs[function] { return known }
    let source = try model.program(function)
    let program = try Program(
      try compiler.unquantised.compile(source.module, function: source.function.name),
      weights: WeightFiles(source), on: compiler)
    programs[function] = program
    return program
  }

  private func unit(_ feature: ArraySlice<Float>) throws -> [Float] {
    let norm = feature.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard norm > 0, norm.isFinite else {
      throw CommandError.failure("'\(model.url.path)' gives a feature of length \(norm), expected a direction")
    }
    return feature.map { Float(Double($0) / norm) }
  }
}
