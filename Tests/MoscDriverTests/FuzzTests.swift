import MoscDriver
import MoscEngine
import MoscFormats
import MoscIR
import MoscReport
import TestSupport
import Testing

/// Random functions through the whole compiler: a slice of what `mosc fuzz` can do in a night.
@Suite struct FuzzTests {
  private static let seedsPerSlice: UInt64 = 60

  @Test(arguments: [UInt64](0..<4)) func slice(_ number: UInt64) throws {
    var request = FuzzRequest()
    request.seed = 1_000_000 + number * Self.seedsPerSlice
    request.count = Int(Self.seedsPerSlice)
    request.compiler.threads = 1
    try FuzzJob(request, .silent).run()
  }

  @Test func runsFromTheCommandLine() throws {
    let outcome = try MoscProgram.run("fuzz", "--seed", "7", "--count", "5")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("5 functions from seed 7 on, 0 with a difference"))
    #expect(try MoscProgram.run("fuzz", "--count", "0").status == 2)
  }

  /// The comparison sees what is wrong: numbers, shapes, missing results.
  @Test func differencesAreSeen() {
    let x = HostTensor(.f32(2), [1, -40])
    let bound = FuzzCase.Bound.f32
    #expect(FuzzCase.difference([x], [x], bound) == nil)
    #expect(FuzzCase.difference([HostTensor(.f32(2), [1.001, -40.05])], [x], bound) == nil)
    #expect(
      FuzzCase.difference([HostTensor(.f32(2), [1, -40.2])], [x], bound)?
        .hasPrefix("result 0 f32[2] element 1: found -40.2") == true)
    #expect(FuzzCase.difference([HostTensor(.f32(2), [.nan, -40])], [x], bound) != nil)
    #expect(FuzzCase.difference([], [x], bound) == "0 results, expected 1")
    #expect(FuzzCase.difference([HostTensor(.f32(1), [1])], [x], bound) != nil)
  }

  /// Found by seed 5: a result that passes replaced by another value lost its name, and so was
  /// lost.
  @Test func resultsKeepTheirNames() throws {
    var graph = Graph("f")
    let x = graph.parameter("x", .f32(2, 3))
    let y = try graph.silu(x, name: "y")
    let same = try graph.transpose(y, axes: [0, 1], name: "same")
    graph.results = [y, same, y]
    #expect(graph.resultLabels == ["y", "same", "y.2"])
    let compiler = try Compiler(CompilationOptions(), precision: .f32, .silent)
    let compiled = try compiler.compile(Module(graphs: [graph]), function: "f")
    let program = try Program(
      compiled, weights: WeightFiles([:]), on: compiler)
    let results = try program.run(["x": HostArray([Float](repeating: 1, count: 6), shape: [2, 3])])
    #expect(Set(results.keys) == ["y", "same", "y.2"])
    #expect(results["same"]?.floats == results["y"]?.floats)
  }
}
