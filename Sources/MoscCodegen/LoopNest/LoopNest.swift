import MoscIR
import MoscLLVM

/// Emits the loops that compute whole results: rows split into tasks, columns into vectors.
///
/// A row is the last axis of the results, or several trailing axes where nothing in the body
/// tells them apart. Tasks depend on the shapes only, so every thread count gives the same bits.
struct LoopNest {
  let pull: PullEmitter
  /// Results of equal shape that are computed together, with their buffers.
  let results: [(id: ValueID, pointer: LLVMValue)]
  let shape: [Int]
  /// The number of leading axes that count rows.
  let rowAxes: Int
  let rows: Int
  let columns: Int
  /// The places where a row changes its source, from 0 to `columns`.
  let cuts: [Int]
  /// Vectors computed per turn of the innermost loop.
  let unroll: Int
  let rowsPerTask: Int
  /// Turns of the innermost loop per task when single rows are split; 0 when they are not.
  let turnsPerTask: Int
  let taskCount: Int

  /// The elements of cheap work that make a task worth handing out.
  static let grain = 16_384

  init(_ pull: PullEmitter, _ results: [(id: ValueID, pointer: LLVMValue)]) {
    self.pull = pull
    self.results = results
    let graph = pull.graph
    let shape = results.first.map { graph.type($0.id).shape } ?? []
    let body = BodyFacts(graph, results.map(\.id))
    let trailing = body.mergeableTrailingAxes(shape)
    rowAxes = max(0, shape.count - trailing)
    self.shape = shape
    let (rows, columns) = (
      shape.prefix(rowAxes).reduce(1, *), shape.dropFirst(rowAxes).reduce(1, *)
    )
    (self.rows, self.columns) = (rows, columns)
    cuts = trailing > 1 ? [0, columns] : body.cuts(columns)
    // Short bodies hide the latency of their instructions in independent vectors; four copies of a long
    // one would not fit the registers, and cost time to compile.
    unroll = body.size <= 12 ? 4 : body.size <= 40 ? 2 : 1
    let lanes = pull.e.lanes
    let perRow = max(1, columns * body.cost)
    // At most 1024 tasks: more only cost time to hand out.
    let wanted = min(1024, max(1, rows * perRow / Self.grain))
    let turns = columns / (lanes * unroll)
    if rows == 1, cuts.count == 2, !body.hasRowReductions, wanted > 1, turns > 1 {
      rowsPerTask = 1
      turnsPerTask = (turns + wanted - 1) / wanted
      taskCount = (turns + turnsPerTask - 1) / turnsPerTask
    } else {
      rowsPerTask = max(1, (rows + wanted - 1) / wanted)
      turnsPerTask = 0
      taskCount = (rows + rowsPerTask - 1) / rowsPerTask
    }
  }

  /// Emits one task.
  func emit(task: LLVMValue) throws {
    let e = pull.e
    if rows > 1, let longest = zip(cuts, cuts.dropFirst()).map({ $1 - $0 }).max(),
      longest < e.lanes, let result = results.first
    {
      let what = longest == 1 ? "one by one" : "\(longest) at a time"
      pull.remark(
        "vectorise.narrow",
        "'%\(pull.graph[result.id].name)' (\(pull.graph.type(result.id))) is computed \(what): longer "
          + "runs of its elements do not have one source")
    }
    if turnsPerTask > 0 {
      let turns = columns / (pull.e.lanes * unroll)
      let from = e.mul(task, turnsPerTask)
      let to = e.min(e.add(from, turnsPerTask), turns)
      try pull.scoped {
        try hoist(.zero, 0..<columns)
        try turnLoop(.zero, start: 0, from: from, to: to, turns)
        let isLast = e.builder.compare(.equal, task, e.int(taskCount - 1))
        try e.branch(if: isLast) {
          try pull.scoped { try rest(.zero, turns * pull.e.lanes * unroll..<columns) }
          return []
        }
      }
      return
    }
    let from = e.mul(task, rowsPerTask)
    let to =
      rows % rowsPerTask == 0 && rowsPerTask == 1
      ? e.add(from, 1) : e.min(e.add(from, rowsPerTask), rows)
    func body(_ row: LLVMValue) throws {
      try pull.scoped { try emitRow(pull.counter(row, extent: rows)) }
    }
    if rowsPerTask == 1 { return try body(from) }
    try e.loop(from: from, to: to) { row, _ in
      try body(row)
      return []
    }
  }

  // MARK: Rows

  /// The index of a column of a row.
  private func index(_ row: IndexExpr, _ column: IndexExpr) -> [IndexExpr] {
    pull.space.unravel(row, in: Array(shape.prefix(rowAxes)))
      + pull.space.unravel(column, in: Array(shape.dropFirst(rowAxes)))
  }

  /// Emits a row, with code of its own for rows of padding.
  private func emitRow(_ row: IndexExpr) throws {
    guard let pad = undecidedPad(row) else { return try emitSegments(row) }
    func version(_ isInside: Bool) throws -> [LLVMValue] {
      try pull.assuming(pad.assumption, isInside) { try emitSegments(row) }
      return []
    }
    try pull.e.branch(if: pad.condition, { try version(true) }, else: { try version(false) })
  }

  private func emitSegments(_ row: IndexExpr) throws {
    for (low, high) in zip(cuts, cuts.dropFirst()) {
      try pull.scoped {
        try hoist(row, low..<high)
        try emitColumns(row, low..<high)
      }
    }
  }

  private func emitColumns(_ row: IndexExpr, _ range: Range<Int>) throws {
    let turn = pull.e.lanes * unroll
    let turns = range.count / turn
    if turns > 0 {
      try turnLoop(
        row, start: range.lowerBound, from: pull.e.int(0), to: pull.e.int(turns), turns)
    }
    try rest(row, range.lowerBound + turns * turn..<range.upperBound)
  }

  /// Whole turns of the innermost loop.
  private func turnLoop(
    _ row: IndexExpr, start: Int, from: LLVMValue, to: LLVMValue, _ turns: Int
  ) throws {
    let lanes = pull.e.lanes
    try pull.e.loop(from: from, to: to) { k, _ in
      try pull.scoped {
        let turn = pull.counter(k, extent: turns) * (lanes * unroll) + start
        try pull.withLanes(lanes, active: lanes) { lane in
          for u in 0..<unroll { try emitVector(row, turn + u * lanes + lane) }
        }
      }
      return []
    }
  }

  /// The last vectors of a segment, and a masked one.
  private func rest(_ row: IndexExpr, _ range: Range<Int>) throws {
    var column = range.lowerBound
    while column < range.upperBound {
      let count = min(pull.e.lanes, range.upperBound - column)
      try pull.withLanes(pull.lanesFor(count), active: count) { lane in
        try emitVector(row, lane + column)
      }
      column += count
    }
  }

  private func emitVector(_ row: IndexExpr, _ column: IndexExpr) throws {
    let place = index(row, column)
    for result in results {
      let (value, _) = try pull.unrounded(result.id, at: place)
      try pull.store(value, as: pull.graph.type(result.id), result.pointer, at: place)
    }
  }

  // MARK: What columns share

  /// Computes what all columns of a segment share: statistics of rows, uniform operands.
  private func hoist(_ row: IndexExpr, _ range: Range<Int>) throws {
    let column = pull.space.variable(extent: range.count, varies: range.count > 1)
    let place = index(row, IndexExpr(column) + range.lowerBound)
    var seen: Set<PullEmitter.Key> = []
    for result in results { try hoist(result.id, at: place, &seen) }
  }

  private func hoist(
    _ id: ValueID, at place: [IndexExpr], _ seen: inout Set<PullEmitter.Key>
  ) throws {
    guard seen.insert(.value(id, place)).inserted, let node = pull.graph.producer(id) else {
      return
    }
    for (operand, source) in pull.dependencies(node, at: place) {
      if source.allSatisfy(\.isUniform) {
        _ = try pull.value(operand, at: source)
      } else {
        try hoist(operand, at: source, &seen)
      }
    }
    let outer = Array(place.dropLast())
    if outer.allSatisfy(\.isUniform) {
      try pull.located(at: node) { try pull.prepareRow(node, outer) }
    }
  }

  /// The first padding of which only the row decides whether it is inside.
  private func undecidedPad(
    _ row: IndexExpr
  ) -> (assumption: PullEmitter.Assumption, condition: LLVMValue)? {
    let column = pull.space.variable(extent: columns, varies: columns > 1)
    var pending = results.map { ($0.id, index(row, IndexExpr(column))) }
    var seen: Set<PullEmitter.Key> = []
    while let (id, place) = pending.popLast() {
      guard seen.insert(.value(id, place)).inserted, let node = pull.graph.producer(id) else {
        continue
      }
      if case .pad(let op) = pull.graph[node].op,
        let condition = pull.uniformCondition(op, node, at: place)
      {
        return (pull.assumption(op, node, at: place), condition)
      }
      pending += pull.dependencies(node, at: place).map { ($0.operand, $0.index) }
    }
    return nil
  }
}
