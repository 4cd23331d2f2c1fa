import MoscIR
import MoscLLVM

/// Emits `winograd_input`, rounded to the type of a cast behind it: a task transforms a line of tiles.
///
/// Channels lie in lanes; a turn loads the (m+2)² pixels of one tile in some channels and stores as
/// many points, which lie a plane apart.
struct WinogradInputEmitter {
  let pull: PullEmitter
  let transform: WinogradTransform
  let source: ValueID
  let result: (id: ValueID, pointer: LLVMValue)

  init(
    _ pull: PullEmitter, _ op: WinogradInput, _ node: Node,
    _ result: (id: ValueID, pointer: LLVMValue)
  ) {
    self.pull = pull
    transform = op.transform
    source = node.operands[0]
    self.result = result
  }

  private var shape: [Int] { pull.graph.type(source).shape }
  private var tilesDown: Int { (shape[1] - 2) / transform.outputs }
  private var tilesAcross: Int { (shape[2] - 2) / transform.outputs }
  private var channels: Int { shape[3] }

  var taskCount: Int { shape[0] * tilesDown }

  func emit(task: LLVMValue) throws {
    let e = pull.e
    let line = pull.counter(task, extent: taskCount)
    let whole = channels / e.lanes
    try e.loop(from: 0, to: tilesAcross) { across, _ in
      try pull.scoped {
        let column = pull.counter(across, extent: tilesAcross)
        try e.loop(from: 0, to: whole) { turn, _ in
          try pull.scoped {
            let first = pull.counter(turn, extent: whole) * e.lanes
            try emit(line, column, first, count: e.lanes)
          }
          return []
        }
        let rest = channels % e.lanes
        if rest > 0 { try emit(line, column, IndexExpr(whole * e.lanes), count: rest) }
      }
      return []
    }
  }

  /// One tile in some channels.
  private func emit(
    _ line: IndexExpr, _ column: IndexExpr, _ first: IndexExpr, count: Int
  ) throws {
    let (m, edge) = (transform.outputs, transform.edge)
    let type = pull.graph.type(result.id)
    let place = pull.space.unravel(line, in: [shape[0], tilesDown])
    try pull.withLanes(pull.lanesFor(count), active: count) { lane in
      let channel = first + lane
      let square = try (0..<edge * edge).map { k in
        pull.wide(
          try pull.value(
            source, at: [place[0], place[1] * m + k / edge, column * m + k % edge, channel]))
      }
      let tile = line * tilesAcross + column
      for (point, value) in pull.e.square(transform.input, square).enumerated() {
        try pull.store(value, as: type, result.pointer, at: [IndexExpr(point), tile, channel])
      }
    }
  }
}
