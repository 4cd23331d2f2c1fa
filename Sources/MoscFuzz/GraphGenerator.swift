import MoscIR

/// Draws small random functions over every op that models may contain.
///
/// Each value carries bounds of its elements, so that functions stay in their well-conditioned
/// range, and whether it is exact, so that no comparison hangs on the last bit of a sum.
package struct GraphGenerator {
  struct Entry {
    var id: ValueID
    var low: Double
    var high: Double
    /// Made of inputs without arithmetic.
    var isExact: Bool
  }

  package internal(set) var graph = Graph("f")
  /// The weights that `param` ops name, in declaration `w`.
  package private(set) var weights: [String: HostTensor] = [:]
  private var pool: [Entry] = []
  var numbers: SeededNumbers
  private var parameters = 0
  private let mixesRates: Bool

  /// A function of `size` ops or a few more.
  ///
  /// - Parameter mixesRates: whether inputs may be known at load or per prompt, weights be shared, and
  ///   results be read or returned more than once.
  package init(seed: UInt64, size: Int, mixesRates: Bool = false) throws {
    numbers = SeededNumbers(seed)
    self.mixesRates = mixesRates
    for _ in 0..<Int.random(in: 1...2, using: &numbers) { input(randomShape()) }
    var drawn = 0
    var attempts = 0
    while drawn < size, attempts < size * 20 {
      attempts += 1
      if try step() { drawn += 1 }
    }
    // What nothing reads is a result; at least one value is computed.
    let users = graph.users()
    let ends = pool.filter { users[$0.id].isEmpty && graph.producer($0.id) != nil }
    graph.results = (ends.isEmpty ? [pool[pool.count - 1]] : ends).map(\.id)
    if mixesRates { graph.results += [pick(pool).id, pick(graph.results)] }
  }

  /// The function as a module.
  package var module: Module {
    Module(weights: [WeightsDeclaration(name: "w", path: "none")], graphs: [graph])
  }

  // MARK: Inputs

  mutating func pick<T>(_ list: [T]) -> T {
    list[Int.random(in: 0..<list.count, using: &numbers)]
  }

  private mutating func randomShape() -> [Int] {
    let channels = pick([1, 3, 8, 12, 16, 20, 24, 33, 40])
    switch pick([2, 3, 3, 4, 4]) {
    case 2: return [pick([1, 2, 5]), channels]
    case 3: return [pick([1, 2]), pick([1, 4, 7, 9]), channels]
    default: return [pick([1, 2]), pick([1, 3, 4]), pick([2, 3, 5]), channels]
    }
  }

  @discardableResult
  mutating func input(_ shape: [Int]) -> Entry {
    parameters += 1
    let rate = mixesRates ? pick([Rate.step, .step, .prompt, .load]) : .step
    let id = graph.parameter("x\(parameters)", TensorType(.f32, shape), rate: rate)
    let entry = Entry(id: id, low: -2, high: 2, isExact: true)
    pool.append(entry)
    return entry
  }

  mutating func indices(_ shape: [Int]) -> ValueID {
    parameters += 1
    return graph.parameter("ids\(parameters)", TensorType(.i32, shape))
  }

  /// A weight of the given type with elements in -1...1, divided by the square root of `depth`.
  mutating func weight(_ shape: [Int], depth: Int = 1, _ dtype: DType = .f32) throws
    -> ValueID
  {
    let type = TensorType(dtype, shape)
    let scale = 1 / Double(depth).squareRoot()
    var name = "w\(weights.count)"
    // One tensor may serve several layers, under one name.
    let alike = weights.filter { $0.value.type == type }.keys.sorted()
    if mixesRates, !alike.isEmpty, Bool.random(using: &numbers) {
      name = pick(alike)
    } else {
      weights[name] = HostTensor(type) { _ in
        Double(Float.random(in: -1...1, using: &numbers)) * scale
      }
    }
    return try graph.emit(
      .param(Param(name: name, source: "w", type: type)), [], rate: .load)
  }

  func shape(_ entry: Entry) -> [Int] { graph.type(entry.id).shape }

  mutating func operand(_ accept: (Entry, [Int]) -> Bool = { _, _ in true }) -> Entry? {
    let fitting = pool.filter { graph.type($0.id).dtype == .f32 && accept($0, shape($0)) }
    return fitting.isEmpty ? nil : pick(fitting)
  }

  mutating func add(
    _ id: ValueID, _ low: Double, _ high: Double, isExact: Bool = false
  ) throws -> Bool {
    // Too wide a range would make errors hard to bound; squash it.
    if max(abs(low), abs(high)) > 40 {
      let squashed = try graph.emit(.tanh(Tanh()), [id])
      pool.append(Entry(id: squashed, low: -1, high: 1, isExact: false))
    } else {
      pool.append(Entry(id: id, low: low, high: high, isExact: isExact))
    }
    return true
  }

  /// One more op, unless none of the values fits the one that was drawn.
  private mutating func step() throws -> Bool {
    switch Int.random(in: 0..<100, using: &numbers) {
    case 0..<28: try unary()
    case 28..<46: try binary()
    case 46..<68: try movement()
    case 68..<82: try normalisation()
    default: try contraction()
    }
  }
}
