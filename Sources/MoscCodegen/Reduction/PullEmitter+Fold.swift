import MoscIR
import MoscLLVM

extension PullEmitter {
  /// How the elements of a row are combined.
  enum Fold {
    case sum, max

    var identity: Double {
      switch self {
      case .sum: 0
      case .max: -.infinity
      }
    }
  }

  func combine(_ fold: Fold, _ a: LLVMValue, _ b: LLVMValue) -> LLVMValue {
    switch fold {
    case .sum: e.fadd(a, b)
    case .max: e.fmax(a, b)
    }
  }

  /// Combines `element(column)` over a row, in f32 with up to four vector accumulators.
  ///
  /// The order is fixed by the column count: accumulator j takes every fourth vector, then the
  /// accumulators and at last the lanes are combined pairwise.
  func foldRow(
    _ columns: Int, _ fold: Fold, _ element: (IndexExpr) throws -> LLVMValue
  ) throws -> LLVMValue {
    let width = lanesFor(columns)
    let full = columns / width
    let unroll = full >= 8 ? 4 : 1
    let identity = e.float(fold.identity, lanes: width)
    func accumulate(_ sum: LLVMValue, _ start: IndexExpr, _ count: Int) throws -> LLVMValue {
      try withLanes(width, active: count) { lane in
        var value = wide(try element(start + lane))
        if count < width {
          value = e.builder.select(e.mask(lanes: width, count: count), value, identity)
        }
        return combine(fold, sum, value)
      }
    }
    var sums = [LLVMValue](repeating: identity, count: unroll)
    sums = try e.loop(from: 0, to: full / unroll, carrying: sums) { k, carried in
      try scoped {
        let start = counter(k, extent: full / unroll) * (unroll * width)
        return try carried.indices.map {
          try accumulate(carried[$0], start + $0 * width, width)
        }
      }
    }
    for vector in full / unroll * unroll..<full {
      let j = vector % unroll
      sums[j] = try accumulate(sums[j], IndexExpr(vector * width), width)
    }
    if columns % width > 0 {
      sums[0] = try accumulate(sums[0], IndexExpr(full * width), columns % width)
    }
    while sums.count > 1 {
      sums = stride(from: 0, to: sums.count, by: 2).map { combine(fold, sums[$0], sums[$0 + 1]) }
    }
    switch fold {
    case .sum: return e.sumLanes(sums[0])
    case .max: return e.maxLanes(sums[0])
    }
  }

  /// Combines `element(k)` for k in `0..<count`, each lane for itself; sums in f64.
  func foldLanewise(
    _ count: Int, _ fold: Fold, _ element: (IndexExpr) throws -> LLVMValue
  ) throws -> LLVMValue {
    let isVector = lane != nil
    let width = isVector ? lanes : 1
    let double = e.type(e.builder.double, width)
    let f32 = e.floatType(width)
    let isSum = fold == .sum
    let initial =
      isSum ? e.builder.zero(double) : e.float(fold.identity, lanes: width)
    let result = try e.loop(from: 0, to: count, carrying: [initial]) { k, carried in
      try scoped {
        var value = try element(counter(k, extent: count))
        if isVector { value = wide(value) }
        if isSum { value = e.builder.cast(.fpext, value, double) }
        return [combine(fold, carried[0], value)]
      }
    }
    return isSum ? e.builder.cast(.fptrunc, result[0], f32) : result[0]
  }

  /// `Σ a(k)·b(k)` for k in `0..<count` in f32, each lane for itself.
  func dot(
    _ count: Int, from initial: LLVMValue? = nil,
    _ factors: (IndexExpr) throws -> (LLVMValue, LLVMValue)
  ) throws -> LLVMValue {
    let width = lane != nil ? lanes : 1
    let start = initial.map { width > 1 ? wide($0) : $0 } ?? e.float(0, lanes: width)
    return try e.loop(from: 0, to: count, carrying: [start]) { k, carried in
      try scoped {
        let (a, b) = try factors(counter(k, extent: count))
        return [
          width > 1
            ? e.fma(wide(a), wide(b), carried[0]) : e.fma(a, b, carried[0])
        ]
      }
    }[0]
  }
}
