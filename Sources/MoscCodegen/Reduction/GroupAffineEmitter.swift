import MoscIR
import MoscLLVM

/// Emits `group_affine` as a whole result: one pass over x, a task per sample and channel block.
///
/// Channels lie in lanes. Each channel sums its distances from its first pixel, and their squares,
/// in f32 over chunks of 64 pixels and in f64 over chunks; groups are put together in f64. The
/// first pixel as pivot keeps the difference `Σd² − (Σd)²/n` from cancelling.
struct GroupAffineEmitter {
  let pull: PullEmitter
  let op: GroupAffine
  let node: Node
  let result: LLVMValue
  let samples: Int
  let channels: Int
  let pixelShape: [Int]
  /// Channels of a task: whole groups and, where possible, whole vectors.
  let blockChannels: Int
  /// Channels at which x changes its source.
  let cuts: [Int]

  /// Pixels summed in f32 before they are added to the f64 sums.
  static let chunk = 64

  init(_ pull: PullEmitter, _ op: GroupAffine, _ node: Node, into result: LLVMValue) {
    self.pull = pull
    self.op = op
    self.node = node
    self.result = result
    let shape = pull.graph.type(node.operands[0]).shape
    samples = shape[0]
    channels = shape[shape.count - 1]
    pixelShape = Array(shape[1..<shape.count - 1])
    let (channels, width) = (channels, channels / op.groups)
    let unit = width / gcd(width, pull.e.lanes) * pull.e.lanes
    // Four cache lines a pixel at least: shorter runs waste what the processor fetches ahead.
    blockChannels = unit >= channels ? channels : unit * max(1, 64 / unit)
    cuts = BodyFacts(pull.graph, [node.operands[0]]).cuts(channels)
  }

  private var blocks: Int { (channels + blockChannels - 1) / blockChannels }
  private var pixels: Int { pixelShape.reduce(1, *) }
  private var groupWidth: Int { channels / op.groups }

  var taskCount: Int { samples * blocks }

  func emit(task: LLVMValue) throws {
    let e = pull.e
    let sample = pull.counter(e.div(task, blocks), extent: samples)
    let block = e.rem(task, blocks)
    let isUniform = cuts.count == 2
    let full = isUniform ? channels / blockChannels : 0
    if full > 0 {
      try e.branch(if: e.builder.compare(.less, block, e.int(full))) {
        try pull.scoped {
          let start = pull.counter(block, extent: full) * blockChannels
          try emitBlock(sample, start, blockChannels, cuts: [])
        }
        return []
      }
    }
    // The narrower last block, or every block when x has several sources.
    for index in full..<blocks {
      try e.branch(if: e.builder.compare(.equal, block, e.int(index))) {
        let start = index * blockChannels
        let count = min(blockChannels, channels - start)
        try pull.scoped {
          try emitBlock(
            sample, IndexExpr(start), count, cuts: cuts.map { $0 - start })
        }
        return []
      }
    }
  }

  /// Scratch memory of a block: per channel the pivot (f32), sum and square sum (f64).
  private struct Scratch {
    var pivots: LLVMValue
    var sums: LLVMValue
    var squares: LLVMValue
  }

  private func emitBlock(
    _ sample: IndexExpr, _ start: IndexExpr, _ count: Int, cuts: [Int]
  ) throws {
    let e = pull.e
    let room = count + e.lanes
    let scratch = Scratch(
      pivots: e.stackSlot(bytes: room * 4), sums: e.stackSlot(bytes: room * 8),
      squares: e.stackSlot(bytes: room * 8))
    // As many vectors at once as leave registers for pivots and loads.
    let most = max(1, e.target.vectorRegisters / 4)
    var pieces: [(offset: Int, count: Int)] = []
    var offset = 0
    while offset < count {
      let end = min(count, cuts.filter { $0 > offset }.min() ?? count)
      pieces.append((offset, min(e.lanes, end - offset)))
      offset += min(e.lanes, end - offset)
    }
    for first in stride(from: 0, to: pieces.count, by: most) {
      try sumPieces(
        sample, start, Array(pieces[first..<min(first + most, pieces.count)]), scratch)
    }
    try finish(sample, start, count, scratch)
  }

  private func element(
    _ sample: IndexExpr, _ pixel: IndexExpr, _ channel: IndexExpr
  ) throws -> LLVMValue {
    let place = pull.space.unravel(pixel, in: pixelShape)
    return pull.wide(try pull.value(node.operands[0], at: [sample] + place + [channel]))
  }

  /// Sums of some vectors of channels over all pixels.
  private func sumPieces(
    _ sample: IndexExpr, _ start: IndexExpr, _ pieces: [(offset: Int, count: Int)],
    _ scratch: Scratch
  ) throws {
    let e = pull.e
    let double = e.builder.double
    let pivots = try pieces.map { piece in
      try pull.withLanes(pull.lanesFor(piece.count), active: piece.count) { lane in
        let pivot = try element(sample, .zero, start + piece.offset + lane)
        e.store(
          pivot, as: .f32, e.offset(scratch.pivots, bytes: piece.offset * 4), count: piece.count)
        for sums in [scratch.sums, scratch.squares] {
          let zero = e.builder.zero(e.type(double, e.lanes(of: pivot)))
          e.builder.store(zero, e.offset(sums, bytes: piece.offset * 8), align: 8)
        }
        return pivot
      }
    }
    let chunks = (pixels + Self.chunk - 1) / Self.chunk
    try e.loop(from: 0, to: chunks) { q, _ in
      let first = e.mul(q, Self.chunk)
      let end = e.min(e.add(first, Self.chunk), pixels)
      let zeros = pivots.map { e.float(0, like: $0) }
      let sums = try e.loop(from: first, to: end, carrying: zeros + zeros) { p, carried in
        try pull.scoped {
          let pixel = pull.counter(p, extent: pixels)
          var next = carried
          for (i, piece) in pieces.enumerated() {
            try pull.withLanes(pull.lanesFor(piece.count), active: piece.count) { lane in
              let x = try element(sample, pixel, start + piece.offset + lane)
              let d = e.fsub(x, pivots[i])
              next[i] = e.fadd(carried[i], d)
              next[i + pieces.count] = e.fma(d, d, carried[i + pieces.count])
            }
          }
          return next
        }
      }
      for (i, sum) in sums.enumerated() {
        let base = i < pieces.count ? scratch.sums : scratch.squares
        let address = e.offset(base, bytes: pieces[i % pieces.count].offset * 8)
        let type = e.type(double, like: sum)
        let total = e.fadd(
          e.builder.load(type, address, align: 8), e.builder.cast(.fpext, sum, type))
        e.builder.store(total, address, align: 8)
      }
      return []
    }
  }

  /// Groups of a block, from the sums of their channels.
  private func finish(
    _ sample: IndexExpr, _ start: IndexExpr, _ count: Int, _ scratch: Scratch
  ) throws {
    let e = pull.e
    let double = e.builder.double
    let width = groupWidth
    let n = e.builder.constant(Double(pixels), double)
    let zero = e.builder.zero(double)
    func number(_ base: LLVMValue, _ channel: LLVMValue) -> LLVMValue {
      e.builder.load(double, e.offset(base, bytes: e.mul(channel, 8)), align: 8)
    }
    func wide(_ value: LLVMValue) -> LLVMValue { e.builder.cast(.fpext, value, double) }
    func channelMean(_ channel: LLVMValue) -> LLVMValue {
      let pivot = e.load(.f32, e.element(scratch.pivots, channel, .f32), lanes: 1)
      return e.fadd(wide(pivot), e.fdiv(number(scratch.sums, channel), n))
    }
    try e.loop(from: 0, to: count / width) { g, _ in
      let first = e.mul(g, width)
      let total = e.loop(from: 0, to: width, carrying: [zero]) { j, carried in
        [e.fadd(carried[0], channelMean(e.add(first, j)))]
      }
      let mean = e.fdiv(total[0], e.builder.constant(Double(width), double))
      let deviation = e.loop(from: 0, to: width, carrying: [zero]) { j, carried in
        let channel = e.add(first, j)
        let sum = number(scratch.sums, channel)
        let inner = e.fsub(number(scratch.squares, channel), e.fdiv(e.fmul(sum, sum), n))
        let apart = e.fsub(channelMean(channel), mean)
        return [e.fadd(carried[0], e.fadd(inner, e.fmul(n, e.fmul(apart, apart))))]
      }
      let variance = e.fdiv(deviation[0], e.builder.constant(Double(width * pixels), double))
      let root = e.sqrt(e.fadd(variance, e.builder.constant(op.eps, double)))
      let inverse = e.fdiv(e.builder.constant(1.0, double), root)
      try e.loop(from: 0, to: width) { j, _ in
        try pull.scoped {
          let channel = start + pull.counter(e.add(first, j), extent: count)
          let scale = wide(try pull.value(node.operands[1], at: [channel]))
          let shift = wide(try pull.value(node.operands[2], at: [channel]))
          let a = e.fmul(scale, inverse)
          let b = e.fsub(shift, e.fmul(mean, a))
          for (row, value) in [a, b].enumerated() {
            let place = pull.scalar(
              pull.space.linear(
                [IndexExpr(row), sample, channel], in: [2, samples, channels]))
            e.store(
              e.builder.cast(.fptrunc, value, e.floatType(1)), as: .f32,
              e.element(result, place, .f32))
          }
        }
        return []
      }
      return []
    }
  }
}
