import MoscIR

/// Makes seeded random functions of ops that passes rewrite, with all three rates.
struct RandomGraph {
  private var random: SeededRandom
  private var graph = Graph("f")
  /// Values to read from; all floats.
  private var values: [ValueID] = []

  /// A module with one function of about `size` ops.
  static func make(seed: UInt64, size: Int) throws -> Module {
    var maker = RandomGraph(random: SeededRandom(seed: seed))
    try maker.fill(size)
    return Module(
      weights: [WeightsDeclaration(name: "base", path: "w.safetensors")], graphs: [maker.graph])
  }

  private init(random: SeededRandom) { self.random = random }

  private mutating func pick(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

  private mutating func value() -> ValueID {
    // Rather late values than early ones, so that chains grow.
    let isEarly = pick(3) == 0
    return isEarly
      ? values[pick(values.count)] : values[values.count - 1 - pick(min(3, values.count))]
  }

  private mutating func fill(_ size: Int) throws {
    for (index, rate) in [Rate.step, .step, .prompt, .load].enumerated() {
      values.append(graph.parameter("p\(index)", .f32(2, 4, 4, 6), rate: rate))
    }
    values.append(try graph.param("w", in: "base", .f32(1, 1, 1, 6), name: "w"))
    values.append(try graph.constant(0.5, .f32(1, 1, 1, 1)))
    for _ in 0..<size { values.append(try node()) }
    let count = 1 + pick(3)
    graph.results = (0..<count).map { _ in value() } + [values[values.count - 1]]
    graph.resultNames = graph.results.indices.map { "r\($0)" }
  }

  /// One more op on a random value; its own choice if the wanted one does not fit.
  private mutating func node() throws -> ValueID {
    let x = value()
    let type = graph.type(x)
    switch pick(16) {
    case 0: return try graph.silu(x)
    case 1: return try graph.tanh(x)
    case 2: return try graph.neg(x)
    case 3...6:
      let other = partner(of: type)
      return pick(2) == 0 ? try graph.add(x, other) : try graph.mul(other, x)
    case 7: return try graph.reshape(x, to: shape(type))
    case 8:
      let axis = pick(type.rank)
      let extent = type.shape[axis]
      let from = pick(extent)
      return try graph.slice(x, axis: axis, from: from, to: from + 1 + pick(extent - from))
    case 9 where type.count < 400:
      let parts = [x, partner(of: type, exact: true)]
      return try graph.concat(parts, axis: pick(type.rank))
    case 10 where type.count < 400:
      let low = type.shape.map { _ in pick(2) }
      return try graph.pad(x, low: low, high: type.shape.map { _ in pick(2) })
    case 11: return try graph.transpose(x, axes: Array(0..<type.rank).shuffled(using: &random))
    case 12: return try graph.softmax(x)
    case 13:
      let w = try weight(1 + pick(8), type.lastExtent)
      return try graph.linear(x, weight: w)
    case 14 where type.rank == 4:
      let w = try weight(1 + pick(4), type.shape[3], 3, 3)
      return try graph.conv2d(x, weight: w, pad: 1)
    case 15 where type.rank == 4:
      let scale = try graph.param("g\(type.lastExtent)", in: "base", .f32(type.lastExtent))
      return try graph.groupNorm(x, scale: scale, shift: scale, groups: 1, eps: 1e-3)
    default: return try graph.cast(try graph.cast(x, to: .f16), to: .f32)
    }
  }

  private mutating func weight(_ shape: Int...) throws -> ValueID {
    let name = "w" + shape.map(String.init).joined(separator: "x")
    let stored = try graph.param(name, in: "base", TensorType(.f16, shape))
    return try graph.cast(stored, to: .f32)
  }

  /// A value of the same shape, or one that broadcasts to it.
  private mutating func partner(of type: TensorType, exact: Bool = false) -> ValueID {
    let fitting = values.filter { id in
      let other = graph.type(id).shape
      guard other.count == type.rank else { return false }
      return zip(other, type.shape).allSatisfy { $0 == $1 || (!exact && $0 == 1) }
    }
    return fitting[pick(fitting.count)]
  }

  /// Another shape of as many elements.
  private mutating func shape(_ type: TensorType) -> [Int] {
    var shape = type.shape
    switch pick(4) {
    case 0 where shape.count > 2: shape.replaceSubrange(0..<2, with: [shape[0] * shape[1]])
    case 1 where shape[shape.count - 1] % 2 == 0: shape[shape.count - 1] /= 2; shape.append(2)
    case 2 where shape.count > 1: shape = [shape.dropLast().reduce(1, *), shape[shape.count - 1]]
    default: shape = [1] + shape
    }
    return shape.count > 5 ? [type.count] : shape
  }
}
