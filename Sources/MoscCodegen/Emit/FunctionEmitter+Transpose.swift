import MoscLLVM

extension FunctionEmitter {
  /// The transpose of a square block: `rows.count` vectors of as many lanes, a power of two.
  ///
  /// Each round swaps the off-diagonal quarters of blocks half as large as the round before, so n
  /// vectors take n · log₂ n shuffles.
  package func transpose(_ rows: [LLVMValue]) -> [LLVMValue] {
    let n = rows.count
    var rows = rows
    var distance = n / 2
    while distance >= 1 {
      for i in 0..<n where i & distance == 0 {
        let (a, b) = (rows[i], rows[i + distance])
        rows[i] = builder.shuffle(
          a, b, (0..<n).map { $0 & distance == 0 ? $0 : n + $0 - distance })
        rows[i + distance] = builder.shuffle(
          a, b, (0..<n).map { $0 & distance == 0 ? $0 + distance : n + $0 })
      }
      distance /= 2
    }
    return rows
  }
}
