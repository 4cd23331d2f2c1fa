import MoscFormats
import MoscRandom
import TestSupport
import Testing

/// Random sources against draws recorded upstream.
@Suite struct RandomSourceTests {
  private func file() throws -> SafetensorsFile {
    try SafetensorsFile(Goldens.url("diffusers/torch_draws.safetensors"))
  }

  private func close(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= 2e-6 }
  }

  @Test func singleDraws() throws {
    let file = try file()
    var checked = 0
    for entry in file.entries {
      let parts = entry.name.split(separator: ".").map(String.init)
      guard parts[0] != "stream", let seed = UInt64(parts[1].dropFirst()) else { continue }
      var source = TorchRandomSource(seed: seed)
      let array = try file.array(entry.name)
      switch parts[0] {
      case "rand": #expect(source.uniforms(array.count) == array.floats, "\(entry.name)")
      case "rand_f64": #expect(source.doubleUniforms(array.count) == array.doubles)
      case "randn": #expect(close(source.normals(array.count), array.floats), "\(entry.name)")
      case "randn_f64":
        #expect(source.doubleNormals(array.count) == array.doubles, "\(entry.name)")
      case "randperm": #expect(source.permutation(array.count) == array.ints, "\(entry.name)")
      case "randint":
        let bounds = parts[2].split(separator: "t")
        let low = try #require(Int(bounds[0]))
        let high = try #require(Int(bounds[1].dropFirst()))
        let drawn = source.integers(array.count, from: low, to: high)
        #expect(drawn == array.ints, "\(entry.name)")
      default: Issue.record("unknown draw \(entry.name)")
      }
      checked += 1
    }
    #expect(checked > 100)
  }

  @Test(arguments: [0, 1, 42, 2_147_483_648])
  func streams(_ seed: UInt64) throws {
    let file = try file()
    var source = TorchRandomSource(seed: seed)
    func recorded(_ i: Int) throws -> HostArray { try file.array("stream.s\(seed).\(i)") }
    #expect(close(source.normals(3), try recorded(0).floats))
    #expect(close(source.normals(16), try recorded(1).floats))
    #expect(source.integers(2, from: 0, to: 1000) == (try recorded(2).ints))
    #expect(close(source.normals(5), try recorded(3).floats))
    #expect(source.uniforms(3) == (try recorded(4).floats))
    #expect(close(source.normals(21), try recorded(5).floats))
    #expect(close(source.normals(1), try recorded(6).floats))
    #expect(source.permutation(6) == (try recorded(7).ints))
    #expect(close(source.normals(72), try recorded(8).floats))
  }

  /// `numpy.random.RandomState(0).standard_normal(4)`, as its documentation prints it.
  @Test func numPy() {
    var source = NumPyRandomSource(seed: 0)
    let expected: [Float] = [1.76405235, 0.40015721, 0.97873798, 2.2408932, 1.86755799]
    #expect(close(source.normals(2), Array(expected[..<2])))
    #expect(close(source.normals(3), Array(expected[2...])))
  }

  /// The known answer that the cipher's authors publish for a zero counter and key.
  @Test func philoxCipher() {
    let words = PhiloxRandomSource.rounds((0, 0, 0, 0), (0, 0))
    #expect(words == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
  }

  /// `torch.randn` on a CUDA device with seed 0, as published with the web UI's imitation of it.
  @Test func philoxNormals() {
    var source = PhiloxRandomSource(seed: 0)
    let expected: [Float] = [
      -0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122,
      -0.32838709, -1.07454231, -0.36314407, -1.67105067, 2.26550497,
    ]
    #expect(close(source.normals(12), expected))
  }

  @Test func kinds() {
    #expect(RandomSourceKind(spelling: "NV") == .cuda && RandomSourceKind(spelling: "CPU") == .cpu)
    #expect(RandomSourceKind(spelling: "std_default") == nil)
    for kind in RandomSourceKind.allCases {
      var (a, b) = (kind.source(seed: 3), kind.source(seed: 4))
      let draws = a.normals(20)
      #expect(draws != b.normals(20) && draws.allSatisfy { $0.isFinite })
    }
  }

  @Test func philoxMoments() {
    var source = PhiloxRandomSource(seed: 7)
    let draws = source.normals(20_000)
    let mean = draws.reduce(0, +) / 20_000
    let variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.05)
    #expect(source.normals(5) != Array(draws.prefix(5)))
    var again = PhiloxRandomSource(seed: 7)
    #expect(again.normals(5) == Array(draws.prefix(5)))
  }
}
