import MoscFormats

/// Who solves which layers of a stage, the same in every process.
///
/// Layers that read the same inputs stay together. The costliest go first, each to who has least to do: a solution
/// costs about `in³`.
struct FusionShares {
  /// The owner of each layer of the stage.
  let owners: [Int]

  /// - Parameter tables: what was measured of each concept.
  init(_ layers: [FusionLayer], _ tables: [StatisticsTable], processes: Int) {
    let inputs = tables.map { table in
      Dictionary(table.entries.flatMap { entry in entry.layers.map { ($0, entry.tensor) } }) { first, _ in first }
    }
    let groups = StageSolver.groups(layers) { layer in inputs.map { $0[layer.id] } }
    var loads = [Double](repeating: 0, count: processes)
    var owners = [Int](repeating: 0, count: layers.count)
    for group in groups {
      let depth = Double(layers[group[0]].depth)
      let least = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
      loads[least] += depth * depth * (depth + group.reduce(0) { $0 + Double(layers[$1].out) })
      for layer in group { owners[layer] = least }
    }
    self.owners = owners
  }

  /// The tensors of a concept that a process needs.
  func needed(_ table: StatisticsTable, _ layers: [FusionLayer], by rank: Int) -> [Int] {
    let own = Set(layers.indices.filter { owners[$0] == rank }.map { layers[$0].id })
    return table.entries.indices.filter { table.entries[$0].layers.contains(where: own.contains) }
  }
}
