import Foundation
import MoscEngine
import MoscFormats
import MoscLLVM
import MoscModel
import MoscNetworks
import MoscRandom
import MoscReport
import Testing

/// The embedded model with factors of 8 bits.
@Suite struct QuantisedModelTests {
  private func components(
    _ precision: Precision, threads: Int = 2, cpu: String = "native"
  ) throws -> ModelComponents {
    var options = CompilationOptions()
    options.threads = threads
    options.cpu = cpu
    options.usesCache = false
    let reporter = Reporter(verbosity: .quiet)
    return try ModelComponents(
      ModelOptions(), Compiler(options, precision: precision, reporter))
  }

  private func numbers(_ shape: [Int], seed: UInt64) -> HostArray {
    var source = TorchRandomSource(seed: seed)
    return HostArray(source.normals(shape.reduce(1, *)), shape: shape)
  }

  /// The U-Net's prediction for numbers of about unit size.
  private func prediction(_ components: ModelComponents) throws -> [Float] {
    let width = try components.model.unet().config.contextWidth
    let program = try components.program(.unet(UNet.Shape(batch: 2, height: 16, width: 16)))
    let results = try program.run([
      "sample": numbers([2, 16, 16, 4], seed: 1), "timestep": HostArray([Float](repeating: 500, count: 2), shape: [2]),
      "encoder_hidden_states": numbers([2, 77, width], seed: 2),
    ])
    return try #require(results.values.first).floats
  }

  /// Root mean square of the difference by that of the reference.
  private func error(_ found: [Float], _ reference: [Float]) -> Double {
    var (difference, size) = (0.0, 0.0)
    for (a, b) in zip(found, reference) {
      difference += Double(a - b) * Double(a - b)
      size += Double(b) * Double(b)
    }
    return (difference / size).squareRoot()
  }

  @Test func errorIsSmallAndBitsDependOnNoThread() throws {
    let exact = try prediction(components(.f32))
    let rounded = try prediction(components(.int8))
    #expect(error(rounded, exact) < 0.015 && error(rounded, exact) > 0.001)
    #expect(try prediction(components(.int8, threads: 1)) == rounded)
    if try TargetFacts(cpu: "x86-64-v3").runsOnHost {
      // Without byte products of its own, and attention in f32.
      let other = try prediction(components(.int8, cpu: "x86-64-v3"))
      #expect(error(other, exact) < 0.015 && error(other, exact) > 0.001)
    }
  }

  @Test func onlyTheUNetIsRounded() throws {
    let tokens = HostArray((0..<77).map { Int32($0 == 0 ? 49406 : 49407) }, shape: [1, 77])
    func states(_ precision: Precision) throws -> [Float] {
      let components = try components(precision)
      let program = try components.program(.textEncoder(TextEncoder.Shape(batch: 1)))
      return try #require(try program.run(["input_ids": tokens]).values.first).floats
    }
    let compiler = try components(.int8).compiler
    let other = compiler.suited(to: .vaeDecoder(batch: 1, height: 8, width: 8))
    #expect(other.target.precision != .int8 && compiler.target.precision == .int8)
    #expect(try states(.int8) == states(other.target.precision))
  }

  @Test func trainingIsRefused() throws {
    #expect {
      try Compiler(training: CompilationOptions(), precision: .int8, Reporter(verbosity: .quiet))
    } throws: { "\($0)".contains("--type int8 is for drawing") }
  }
}
