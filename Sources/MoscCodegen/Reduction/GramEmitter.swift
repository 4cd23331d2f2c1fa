import MoscIR
import MoscLLVM

/// Emits `gram` as a whole result: a task owns a square block of the moments and goes through all
/// rows in their order, in double precision.
///
/// Some rows of the block's columns are copied into panels on the stack, widened where products are
/// f64; a register tile then adds their products to the block. Blocks below the diagonal are not
/// computed.
struct GramEmitter {
  let pull: PullEmitter
  let view: BufferView
  let rows, width: Int
  /// Rows whose products are added in f32; 1 for all in f64.
  let chunk: Int
  let result: LLVMValue

  /// The edge of a block; every tile divides it.
  private static let edge = 48
  /// Rows that are copied at a time.
  private var depth: Int { chunk > 1 ? chunk : 64 }

  init(_ pull: PullEmitter, _ op: Gram, _ node: Node, into result: LLVMValue) throws {
    let shape = pull.graph.type(node.operands[0]).shape
    let leading = Array(shape.dropLast())
    let (count, width) = (leading.reduce(1, *), shape[shape.count - 1])
    let view = pull.view(of: node.operands[0], counting: [count, width]) {
      $0.unravel($1[0], in: leading) + [$1[1]]
    }
    guard let view, view.pitches[1] == 1 || width == 1 else {
      throw pull.failure("'gram' needs rows that are evenly spaced in memory")
    }
    self.pull = pull
    self.view = view
    (rows, self.width) = (count, width)
    self.chunk = op.chunk
    self.result = result
  }

  private var e: FunctionEmitter { pull.e }
  private var blocks: Int { (width + Self.edge - 1) / Self.edge }
  /// Doubles of a register.
  private var lanes: Int { max(2, e.lanes / 2) }
  private var vector: LLVMType { e.builder.vector(e.builder.double, lanes) }
  /// Whether panels and products are f32.
  private var isNarrow: Bool { chunk > 1 }
  private var panelElement: LLVMType { isNarrow ? e.floatType(1) : e.builder.double }
  /// Elements of a register of a panel.
  private var panelLanes: Int { isNarrow ? 2 * lanes : lanes }
  private var panelVector: LLVMType { e.builder.vector(panelElement, panelLanes) }
  /// The register tile: rows, and vectors of columns.
  private var tile: (rows: Int, vectors: Int) { lanes == 8 ? (8, 3) : (4, 3) }

  var taskCount: Int { blocks * (blocks + 1) / 2 }

  func emit(task: LLVMValue) throws {
    guard let source = pull.pointers[view.parameter] else {
      throw pull.failure("'gram' without a buffer")
    }
    let (i, j) = place(of: task)
    let panel = Self.edge * depth * (isNarrow ? 4 : 8)
    let (left, right) = (e.stackSlot(bytes: panel), e.stackSlot(bytes: panel))
    let sums = e.stackSlot(bytes: Self.edge * Self.edge * 8)
    let zero = e.builder.zero(vector)
    e.loop(from: 0, to: Self.edge * Self.edge, step: lanes) { index, _ in
      e.builder.store(zero, double(sums, index), align: 8)
      return []
    }
    e.loop(from: 0, to: rows, step: depth) { first, _ in
      let count = e.min(e.sub(e.int(rows), first), depth)
      copy(source, first, count, block: i, into: left)
      copy(source, first, count, block: j, into: right)
      multiply(left, right, count, into: sums)
      return []
    }
    store(sums, i, j)
  }

  /// The block of a task: rows of blocks from both ends of the triangle are as long together as one
  /// row more than there are.
  private func place(of task: LLVMValue) -> (LLVMValue, LLVMValue) {
    let a = e.div(task, blocks + 1)
    let b = e.rem(task, blocks + 1)
    let length = e.sub(e.int(blocks), a)
    let isFirst = e.builder.compare(.less, b, length)
    let other = e.sub(length, 1)
    let i = e.builder.select(isFirst, a, other)
    let j = e.builder.select(isFirst, e.add(a, b), e.add(other, e.sub(b, length)))
    return (i, j)
  }

  private func double(_ base: LLVMValue, _ index: LLVMValue) -> LLVMValue {
    e.offset(base, bytes: e.mul(index, 8))
  }

  private func inPanel(_ base: LLVMValue, _ index: LLVMValue) -> LLVMValue {
    e.offset(base, bytes: e.mul(index, isNarrow ? 4 : 8))
  }

  /// Copies the columns of a block in some rows; columns past the last are zeros.
  private func copy(
    _ source: LLVMValue, _ first: LLVMValue, _ count: LLVMValue, block: LLVMValue,
    into panel: LLVMValue
  ) {
    let rest = width % Self.edge
    func all(_ columns: Int) {
      e.loop(from: e.int(0), to: count) { row, _ in
        let start = e.add(
          e.add(e.mul(e.add(first, row), view.pitches[0]), e.mul(block, Self.edge)), view.offset)
        for column in stride(from: 0, to: Self.edge, by: panelLanes) {
          let target = inPanel(panel, e.add(e.mul(row, Self.edge), column))
          let valid = Swift.min(panelLanes, columns - column)
          guard valid > 0 else {
            e.builder.store(e.builder.zero(panelVector), target, align: 4)
            continue
          }
          let found = e.loadRaw(
            .f32, e.element(source, e.add(start, column), .f32), lanes: panelLanes, count: valid)
          e.builder.store(
            isNarrow ? found : e.builder.cast(.fpext, found, panelVector), target, align: 4)
        }
        return []
      }
    }
    guard rest > 0 else { return all(Self.edge) }
    guard blocks > 1 else { return all(rest) }
    let isLast = e.builder.compare(.equal, block, e.int(blocks - 1))
    e.branch(if: isLast) {
      all(rest)
      return []
    } else: {
      all(Self.edge)
      return []
    }
  }

  /// Adds the products of two panels to the block.
  private func multiply(
    _ left: LLVMValue, _ right: LLVMValue, _ count: LLVMValue, into sums: LLVMValue
  ) {
    let (height, across) = (tile.rows, tile.vectors * panelLanes)
    e.loop(from: 0, to: Self.edge, step: across) { column, _ in
      e.loop(from: 0, to: Self.edge, step: height) { row, _ in
        let parts = panelLanes / lanes
        let places = (0..<height).flatMap { r in
          (0..<tile.vectors * parts).map { v in
            double(sums, e.add(e.add(e.mul(e.add(row, r), Self.edge), column), v * lanes))
          }
        }
        let before = places.map { e.builder.load(vector, $0, align: 8) }
        let zeros = Array(repeating: e.builder.zero(panelVector), count: height * tile.vectors)
        let end = e.loop(from: e.int(0), to: count, carrying: isNarrow ? zeros : before) { k, sums in
          let line = e.mul(k, Self.edge)
          let columns = (0..<tile.vectors).map { v in
            e.builder.load(
              panelVector, inPanel(right, e.add(e.add(line, column), v * panelLanes)), align: 4)
          }
          return (0..<height).flatMap { r in
            let one = e.builder.load(
              panelElement, inPanel(left, e.add(e.add(line, row), r)), align: 4)
            let all = e.splat(one, panelLanes)
            return (0..<tile.vectors).map { v in
              e.fma(all, columns[v], sums[r * tile.vectors + v])
            }
          }
        }
        let after = isNarrow ? zip(before, end.flatMap(widened)).map(e.fadd) : end
        for (place, sum) in zip(places, after) { e.builder.store(sum, place, align: 8) }
        return []
      }
      return []
    }
  }

  /// A register of floats as two of doubles.
  private func widened(_ floats: LLVMValue) -> [LLVMValue] {
    [0, lanes].map { first in
      let half = e.builder.shuffle(
        floats, e.builder.poison(panelVector), Array(first..<first + lanes))
      return e.builder.cast(.fpext, half, vector)
    }
  }

  /// Splits the sums on and above the diagonal into two floats each.
  private func store(_ sums: LLVMValue, _ i: LLVMValue, _ j: LLVMValue) {
    let (top, left) = (e.mul(i, Self.edge), e.mul(j, Self.edge))
    let (height, across) = (
      e.min(e.sub(e.int(width), top), Self.edge), e.min(e.sub(e.int(width), left), Self.edge)
    )
    let isWhole = e.builder.binary(
      .and, e.builder.compare(.less, i, j), e.builder.compare(.equal, across, e.int(Self.edge)))
    e.loop(from: e.int(0), to: height) { r, _ in
      let row = e.add(top, r)
      let line = e.mul(r, Self.edge)
      e.branch(if: isWhole) {
        for c in stride(from: 0, to: Self.edge, by: lanes) {
          let sum = e.builder.load(vector, double(sums, e.add(line, c)), align: 8)
          split(sum, row, e.add(left, c), lanes)
        }
        return []
      } else: {
        let from = e.max(e.int(0), e.sub(row, left))
        e.loop(from: from, to: across) { c, _ in
          let sum = e.builder.load(e.builder.double, double(sums, e.add(line, c)), align: 8)
          split(sum, row, e.add(left, c), 1)
          return []
        }
        return []
      }
      return []
    }
  }

  private func split(_ sum: LLVMValue, _ row: LLVMValue, _ column: LLVMValue, _ lanes: Int) {
    let narrow = e.floatType(lanes)
    let rounded = e.builder.cast(.fptrunc, sum, narrow)
    let back = e.builder.cast(.fpext, rounded, sum.type)
    var rest = e.builder.cast(.fptrunc, e.fsub(sum, back), narrow)
    if lanes > 1 {
      rest = e.builder.shuffle(rest, e.builder.poison(narrow), (0..<lanes).map { lanes - 1 - $0 })
    }
    let pitch = width + 1
    let high = e.add(e.add(e.mul(row, pitch), column), 1)
    // The rest lies point-mirrored: its vector begins with its last column.
    let low = e.sub(
      e.int((width - 1) * pitch + width - lanes), e.add(e.mul(row, pitch), column))
    e.builder.store(rounded, e.element(result, high, .f32), align: 4)
    e.builder.store(rest, e.element(result, low, .f32), align: 4)
  }
}
