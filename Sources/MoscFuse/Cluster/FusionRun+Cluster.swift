import Foundation
import MoscCluster
import MoscEngine
import MoscFormats
import MoscModel
import MoscReport
import MoscSample

/// Fusing with other processes: each measures some concepts, gets the statistics that its layers need, and solves
/// those. Sums are over concepts in their order, so the bits are those of one process.
extension FusionRun {
  /// Each concept is measured on the model that it alone changes.
  ///
  /// - Returns: all layers in the first process, no layer in the others.
  func independent(
    _ cluster: Cluster, _ folder: StatisticsFolder, _ report: inout FusionReport
  ) throws -> [FusedLayer] {
    try cluster.agree(plan.shared(compiler), compiler)
    let stages = FusionLayer.Stage.allCases.filter { !plan.layers[$0].isEmpty }
    let items = try measure(stages, cluster, folder, context: { _ in "" }, &report) { concept, number, stage in
      try collect(concept, number, stage, try plan.adapted([(concept.file, concept.measured)]))
    }
    let (shares, files) = try exchange(items, stages, cluster, folder, &report)
    if request.statistics != nil, cluster.isFirst { try folder.keep(plan.list, of: plan.fingerprint) }
    return try report.measure("solving") { _ in
      try stages.flatMap { try solve($0, items, files, shares[$0], cluster, everywhere: false) }
    }
  }

  /// Each stage is measured on the fused stages before it.
  func chained(
    _ cluster: Cluster, _ folder: StatisticsFolder, _ report: inout FusionReport
  ) throws -> [FusedLayer] {
    try cluster.agree(plan.shared(compiler), compiler)
    var result: [FusedLayer] = []
    for stage in FusionLayer.Stage.allCases where !plan.layers[stage].isEmpty {
      let items = try measure([stage], cluster, folder, context: context, &report) { concept, number, stage in
        try collect(concept, number, stage, try model(for: concept, stage, after: result))
      }
      let (shares, files) = try exchange(items, [stage], cluster, folder, &report)
      result += try report.measure("solving stage \(stage.rawValue)") { _ in
        try solve(stage, items, files, shares[stage], cluster, everywhere: true)
      }
    }
    return result
  }

  // MARK: Statistics

  /// Measures this process's concepts, and tells all what there is of each.
  private func measure(
    _ stages: [FusionLayer.Stage], _ cluster: Cluster, _ folder: StatisticsFolder,
    context: (FusionLayer.Stage) -> String, _ report: inout FusionReport,
    _ gather: (FusionConcept, Int, FusionLayer.Stage) throws -> ConceptMoments
  ) throws -> [StatisticsExchange.Item] {
    func key(_ concept: FusionConcept, _ stage: FusionLayer.Stage) -> String {
      plan.key(concept, stage, precision: compiler.target.precision.rawValue, context: context(stage))
    }
    // What the first process kept is not measured again.
    let kept = try cluster.broadcast(
      MessageLabel(.statistics, -1),
      try plan.list.map { concept in
        try cluster.isFirst && stages.allSatisfy { try hasStatistics(concept, $0, folder, key(concept, $0)) } ? 1 : 0
      })
    guard kept.count == plan.list.count else {
      throw CommandError.failure("rank 0 told of \(kept.count) concepts, expected \(plan.list.count)")
    }
    // Concepts cost alike.
    var turn = 0
    let owners = kept.map { isKept in
      if isKept == 1 { return 0 }
      defer { turn += 1 }
      return cluster.owner(turn)
    }
    var files: [StatisticsFile?] = []
    for (number, concept) in plan.list.enumerated() {
      guard owners[number] == cluster.rank else {
        files += [StatisticsFile?](repeating: nil, count: stages.count)
        continue
      }
      try report.measure("statistics of \(concept.name)") { _ in
        for stage in stages {
          files.append(
            try statistics(concept, stage, folder, context: context(stage)) { try gather(concept, number, stage) })
        }
      }
    }
    let places = plan.list.indices.flatMap { number in stages.map { (number, $0) } }
    let parts = places.indices.map {
      Cluster.Part(MessageLabel(.statistics, -2, part: $0), owner: owners[places[$0].0])
    }
    let texts = try report.measure("waiting for statistics") { _ in
      try cluster.exchange(parts, files.compactMap { $0.map { Array($0.text.utf8) } })
    }
    return try places.enumerated().map { index, place in
      let text = String(decoding: texts[index], as: UTF8.self)
      let concept = plan.list[place.0]
      return StatisticsExchange.Item(
        concept: concept, stage: place.1, owner: owners[place.0], key: key(concept, place.1), file: files[index],
        table: try StatisticsTable(text))
    }
  }

  private func hasStatistics(
    _ concept: FusionConcept, _ stage: FusionLayer.Stage, _ folder: StatisticsFolder, _ key: String
  ) throws -> Bool {
    guard let file = try StatisticsFile(folder.moments(concept, stage), key: key) else { return false }
    return request.inputs.isEmpty || plan.layers[stage].allSatisfy(file.holds)
  }

  /// Brings statistics to who solves the layers; those that are to be kept to the first process, too.
  private func exchange(
    _ items: [StatisticsExchange.Item], _ stages: [FusionLayer.Stage], _ cluster: Cluster,
    _ folder: StatisticsFolder, _ report: inout FusionReport
  ) throws -> (shares: [FusionLayer.Stage: FusionShares], files: [StatisticsFile]) {
    var shares: [FusionLayer.Stage: FusionShares] = [:]
    for stage in stages {
      let tables = items.filter { $0.stage == stage }.map(\.table)
      shares[stage] = FusionShares(plan.layers[stage], tables, processes: cluster.size)
    }
    let (layers, keeps) = (plan.layers, request.statistics != nil)
    let exchange = StatisticsExchange(
      cluster: cluster, items: items,
      needed: { [shares] item, rank in
        if keeps, rank == 0 { return Array(item.table.entries.indices) }
        return shares[item.stage]?.needed(item.table, layers[item.stage], by: rank) ?? []
      }, folder: folder)
    let files = try report.measure("exchanging statistics") { _ in try exchange.run() }
    return (shares, files)
  }

  // MARK: Layers

  /// Solves this process's layers of a stage, and collects those of all.
  private func solve(
    _ stage: FusionLayer.Stage, _ items: [StatisticsExchange.Item], _ files: [StatisticsFile],
    _ shares: FusionShares?, _ cluster: Cluster, everywhere: Bool
  ) throws -> [FusedLayer] {
    let layers = plan.layers[stage]
    let owners = shares?.owners ?? layers.map { _ in 0 }
    let sources = items.indices.filter { items[$0].stage == stage }.map { (items[$0].concept, files[$0]) }
    let own = layers.indices.filter { owners[$0] == cluster.rank }
    let solved = own.isEmpty ? [] : try solve(stage, sources, own.map { layers[$0] })
    let names = plan.list.map(\.name)
    func label(_ index: Int) -> MessageLabel { MessageLabel(.layer, index) }
    if !cluster.isFirst {
      for (index, layer) in zip(own, solved) { try cluster.send(label(index), layer.message(names), to: 0) }
      try cluster.flush()
      guard everywhere else { return [] }
    }
    var result = Dictionary(uniqueKeysWithValues: zip(own, solved))
    if cluster.isFirst {
      for index in layers.indices where owners[index] != 0 {
        result[index] = try FusedLayer(layers[index], try cluster.receive(label(index), from: owners[index]), names)
      }
    }
    if everywhere {
      for index in layers.indices {
        let message = try cluster.broadcast(label(index), result[index]?.message(names) ?? [])
        if result[index] == nil { result[index] = try FusedLayer(layers[index], message, names) }
      }
    }
    return layers.indices.compactMap { result[$0] }
  }
}
