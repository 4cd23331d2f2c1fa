import Dispatch
import Foundation
import MoscFormats
import MoscReport
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

  /// The changes of layers, in groups that read the same inputs, side by side on several threads; each
  /// group is solved by one, so results do not depend on their number.
  func solve(
    _ layers: [FusionLayer], _ sources: [Source], _ reporter: Reporter
  ) throws -> [FusedLayer] {
    let groups = Self.groups(layers) { layer in sources.map { $0.statistics.inputs(of: layer) } }
    let results = Mutex<[Int: Result<FusedLayer, any Error>]>([:])
    let next = Atomic<Int>(0)
    let what = "layers"
    let isCancelled = Interruption.question
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, groups.count))) { _ in
      while !isCancelled() {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < groups.count else { return }
        let group = groups[index]
        let result = Result { try solve(group.map { layers[$0] }, sources) }
        let done = results.withLock { list in
          for (place, layer) in group.enumerated() { list[layer] = result.map { $0[place] } }
          return list.count
        }
        reporter.progress(.run, what, done: done, of: layers.count)
      }
    }
    try Interruption.check()
    return try results.withLock { list in try layers.indices.compactMap { try list[$0]?.get() } }
  }

  /// The layers that read the same inputs in every concept, the widest first, so that no thread is
  /// left with one at the end.
  ///
  /// - Parameter inputs: what a layer reads in each concept; nil for what was not measured.
  static func groups(_ layers: [FusionLayer], _ inputs: (FusionLayer) -> [String?]) -> [[Int]] {
    var places: [[String?]: Int] = [:]
    var groups: [[Int]] = []
    for (index, layer) in layers.enumerated() {
      let key = inputs(layer)
      if let place = places[key], key.contains(where: { $0 != nil }) {
        groups[place].append(index)
      } else {
        places[key] = groups.count
        groups.append([index])
      }
    }
    return groups.sorted { (layers[$0[0]].depth, $1[0]) > (layers[$1[0]].depth, $0[0]) }
  }

  /// Bytes of second moments that a group may keep until its solution is known.
  private static let keptBytes = 256 << 20

  /// The changes of layers that read the same inputs.
  private func solve(_ layers: [FusionLayer], _ sources: [Source]) throws -> [FusedLayer] {
    let depth = layers[0].depth
    var problems = try layers.map { layer in
      let ups = sources.compactMap { $0.concept.factors(layer)?.up }
      let basis = try LinearAlgebra.basis(Matrix.joined(ups, rows: layer.out))
      // The sum of the moments comes last: the layers share it.
      return ReducedProblem(
        basis: basis, gram: Matrix(0, 0), target: Matrix(basis.columns, depth), constant: 0,
        rows: 0)
    }
    var kept: [Int: (gram: Matrix, rows: Int)] = [:]
    var gram = Matrix(depth, depth)
    for (number, source) in sources.enumerated() {
      guard let moments = try source.statistics.moments(layers[0]) else { continue }
      gram.add(moments.gram)
      for (index, layer) in layers.enumerated() {
        problems[index].add(share(layer, source, moments, problems[index].basis))
      }
      if depth * depth * 8 * sources.count <= Self.keptBytes { kept[number] = moments }
    }
    for index in problems.indices { problems[index].gram = gram }
    let solutions: [FusionSolver.Solution]
    do throws(LinearAlgebraError) {
      solutions = try solver.solve(together: problems, iterations: iterations)
    } catch {
      throw CommandError.failure("layer '\(layers[0].id)': \(error)")
    }
    var concepts = [[(name: String, before: Double, after: Double)]](
      repeating: [], count: layers.count)
    for (number, source) in sources.enumerated() {
      guard let moments = try kept[number] ?? source.statistics.moments(layers[0]) else { continue }
      for (index, layer) in layers.enumerated() {
        let share = share(layer, source, moments, problems[index].basis)
        let before = share.constant / (Double(max(1, share.rows)) * Double(layer.out))
        let after = problems[index].loss(solutions[index].m, of: share)
        concepts[index].append((source.concept.name, before, after))
      }
    }
    return layers.indices.map { index in
      let (problem, solution) = (problems[index], solutions[index])
      return FusedLayer(
        layer: layers[index], basis: problem.basis, m: solution.m, rows: problem.rows,
        before: problem.initialLoss, after: max(0, solution.loss), concepts: concepts[index],
        penalty: solution.penalty, evaluations: solution.evaluations)
    }
  }

  /// What a concept asks of a layer; one that does not change it asks that it stay as it is.
  private func share(
    _ layer: FusionLayer, _ source: Source, _ moments: (gram: Matrix, rows: Int), _ basis: Matrix
  ) -> ReducedProblem.Share {
    let factors = source.concept.factors(layer)
    return ReducedProblem.share(
      ConceptDemand(
        gram: moments.gram, rows: moments.rows,
        up: factors?.up ?? Matrix(layer.out, 0), down: factors?.down ?? Matrix(0, layer.depth)),
      basis)
  }
}
