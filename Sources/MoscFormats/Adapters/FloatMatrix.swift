/// Products of matrices in rows, as adapters need them when they are read.
enum FloatMatrix {
  /// No adapter has more ranks; a small file may ask for products without end.
  static let mostRanks = 4096

  /// `a · b` for a of `rows × inner`.
  static func product(_ a: [Float], _ b: [Float], rows: Int, inner: Int) -> [Float] {
    let columns = inner == 0 ? 0 : b.count / inner
    var result = [Float](repeating: 0, count: rows * columns)
    result.withUnsafeMutableBufferPointer { target in
      b.withUnsafeBufferPointer { b in
        for row in 0..<rows {
          for k in 0..<inner {
            let factor = a[row * inner + k]
            for column in 0..<columns {
              target[row * columns + column] += factor * b[k * columns + column]
            }
          }
        }
      }
    }
    return result
  }

  /// `y[p,r,…] = Σ_ij core[i,j,…] · a[i,p] · b[j,r]`.
  static func tucker(_ core: HostArray, _ a: HostArray, _ b: HostArray) -> [Float] {
    let (ranks, taps) = ((core.shape[0], core.shape[1]), core.shape[2] * core.shape[3])
    let (rows, columns) = (a.shape[1], b.shape[1])
    let (kernel, left, right) = (core.floats, a.floats, b.floats)
    // [i, r, taps] first: the sum over j.
    var half = [Float](repeating: 0, count: ranks.0 * columns * taps)
    for i in 0..<ranks.0 {
      for j in 0..<ranks.1 {
        for r in 0..<columns {
          let factor = right[j * columns + r]
          for t in 0..<taps {
            half[(i * columns + r) * taps + t] += kernel[(i * ranks.1 + j) * taps + t] * factor
          }
        }
      }
    }
    var transposed = [Float](repeating: 0, count: left.count)
    for i in 0..<ranks.0 {
      for p in 0..<rows { transposed[p * ranks.0 + i] = left[i * rows + p] }
    }
    return product(transposed, half, rows: rows, inner: ranks.0)
  }
}
