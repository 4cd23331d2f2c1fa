import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport
import RunSupport
import TestSupport
import Testing

/// One regional cross-attention layer against the reference's attention processor.
@Suite struct RegionalLayerTests {
  @Test(arguments: ["native", "x86-64-v3"]) func layer(cpu: String) throws {
    let golden = try SafetensorsFile(Goldens.url("mix-of-show/region_layer.safetensors"))
    func tensor(_ name: String) throws -> HostArray { try golden.array(name) }
    let (height, width) = (16, 32)
    let boxes = try tensor("boxes").floats.map(Double.init)
    let regions = (0..<2).map { index in
      var region = Region(name: "\(index)", prompt: "x")
      let b = boxes[index * 4..<index * 4 + 4].map { $0 }
      region.box = RegionBox(left: b[1], top: b[0], right: b[3], bottom: b[2])
      return region
    }
    let coverage = RegionCoverage(
      regions, active: [true, true], height: height, width: width, pictureWidth: 512,
      rounding: .inward)
    #expect(coverage.empty.isEmpty)

    let source = "golden"
    let table = golden.entries.map {
      ($0.name, StoredTensor(dtype: $0.dtype, shape: $0.shape, source: source))
    }
    let declaration = WeightsDeclaration(name: source, path: golden.url.path)
    var b = ModelBuilder(
      "layer",
      NetworkWeights(
        WeightTable(Dictionary(uniqueKeysWithValues: table), declarations: [declaration])))
    let x = b.graph.parameter("x", .f32(2, height * width, 32))
    let contexts = b.graph.parameter("contexts", .f32(2, 3, 77, 64), rate: .prompt)
    let shares = b.graph.parameter("coverage", .f32(3, height * width))
    let y = try AttentionBlock(heads: 2)(x, source: contexts, coverage: shares, "w", in: &b)
    b.graph.results = [y]
    b.graph.resultNames = ["y"]
    let module = Module(weights: [declaration], graphs: [b.graph])

    var options = CompilationOptions()
    options.cacheFolder = SharedKernels.folder
    options.cpu = cpu
    options.verifiesEach = true
    let compiler = try Compiler(options, precision: .f32, .silent)
    let program = try Program(
      try compiler.compile(module, function: "layer"), weights: WeightFiles([source: golden]),
      on: compiler)
    let parts = try ["ctx", "region0", "region1"].map { try tensor($0).floats }
    let size = 77 * 64
    var stacked: [Float] = []
    for sample in 0..<2 {
      for part in parts { stacked += part[sample * size..<(sample + 1) * size] }
    }
    let result = try program.run([
      "x": try tensor("x"), "contexts": HostArray(stacked, shape: [2, 3, 77, 64]),
      "coverage": HostArray(coverage.shares, shape: [3, height * width]),
    ])
    let found = try #require(result["y"]).floats
    #expect(Comparison.relative(found, try tensor("y").floats) < 1.25e-6)
  }
}
