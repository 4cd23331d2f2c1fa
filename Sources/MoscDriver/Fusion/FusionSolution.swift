import Dispatch
import Foundation
import MoscFormats
import MoscFuse
import MoscModel
import Synchronization

/// The fused change of a layer, and how well it serves each concept.
struct FusedLayer: Sendable {
  let layer: FusionLayer
  /// Q, `[out,R]`.
  let basis: Matrix
  /// M, `[R,in]`.
  let m: Matrix
  /// Inputs of all concepts.
  let rows: Int
  /// The mean squared error before any change, and after.
  let before, after: Double
  /// Per concept: the same over its own inputs.
  let concepts: [(name: String, before: Double, after: Double)]
  let penalty: Double
  let evaluations: Int

  /// As a layer of an adapter file; factors of like size, so that no precision is lost in either.
  var adapter: AdapterFile.Layer {
    let (up, down) = (basis.norm, m.norm)
    let balance = up > 0 && down > 0 ? (down / up).squareRoot() : 1
    let ones = [Int](repeating: 1, count: layer.shape.count - 2)
    return AdapterFile.Layer(
      network: layer.network, key: layer.key, names: [layer.id],
      down: HostArray(
        m.values.map { Float($0 / balance) }, shape: [m.rows] + layer.shape.dropFirst()),
      up: HostArray(
        basis.values.map { Float($0 * balance) }, shape: [basis.rows, basis.columns] + ones),
      scale: 1)
  }

  /// The root of the share of the wanted change that a concept does not get, the worst of all.
  var worst: Double {
    concepts.reduce(0) { $0.isNaN ? $0 : max($0, Self.relative($1.before, $1.after)) }
  }

  /// `√(after / before)`.
  static func relative(_ before: Double, _ after: Double) -> Double {
    before > 0 ? (after / before).squareRoot() : 0
  }
}

/// Solves the layers of a stage from statistics.
struct StageSolver: Sendable {
  let solver: FusionSolver
  let iterations: Int
  let threads: Int

  /// A concept with the statistics of the stage.
  typealias Source = (concept: FusionConcept, statistics: StatisticsFile)

  /// The changes of layers, side by side on several threads; each is computed by one, so results do
  /// not depend on their number.
  func solve(
    _ layers: [FusionLayer], _ sources: [Source], _ reporter: Reporter
  ) throws -> [FusedLayer] {
    LinearAlgebra.useOneThread()
    let results = Mutex<[Result<FusedLayer, any Error>?]>(.init(repeating: nil, count: layers.count))
    let next = Atomic<Int>(0)
    let what = "layers"
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, layers.count))) { _ in
      while !Interruption.isRequested {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < layers.count else { return }
        let result = Result { try solve(layers[index], sources) }
        let done = results.withLock { list in
          list[index] = result
          return list.count { $0 != nil }
        }
        reporter.progress(.run, what, done: done, of: layers.count)
      }
    }
    try Interruption.check()
    return try results.withLock { list in try list.compactMap { try $0?.get() } }
  }

  /// The change of one layer.
  func solve(_ layer: FusionLayer, _ sources: [Source]) throws -> FusedLayer {
    let ups = sources.compactMap { $0.concept.factors(layer)?.up }
    let basis = try LinearAlgebra.basis(Matrix.joined(ups, rows: layer.out))
    var problem = ReducedProblem(basis: basis, depth: layer.depth)
    for source in sources {
      if let demand = try demand(layer, source) { problem.add(demand) }
    }
    let solution: FusionSolver.Solution
    do throws(LinearAlgebraError) {
      solution = try solver.solve(problem, iterations: iterations)
    } catch {
      throw DriverError.failure("layer '\(layer.id)': \(error)")
    }
    var concepts: [(name: String, before: Double, after: Double)] = []
    for source in sources {
      guard let demand = try demand(layer, source) else { continue }
      let share = ReducedProblem.share(demand, basis)
      let before = share.constant / (Double(max(1, share.rows)) * Double(layer.out))
      concepts.append((source.concept.name, before, problem.loss(solution.m, of: share)))
    }
    return FusedLayer(
      layer: layer, basis: basis, m: solution.m, rows: problem.rows,
      before: problem.initialLoss, after: max(0, solution.loss), concepts: concepts,
      penalty: solution.penalty, evaluations: solution.evaluations)
  }

  /// A concept that does not change the layer asks that it stay as it is.
  private func demand(_ layer: FusionLayer, _ source: Source) throws -> ConceptDemand? {
    guard let moments = try source.statistics.moments(layer) else { return nil }
    let factors = source.concept.factors(layer)
    return ConceptDemand(
      gram: moments.matrix, rows: moments.rows,
      up: factors?.up ?? Matrix(layer.out, 0), down: factors?.down ?? Matrix(0, layer.depth))
  }
}
