/// OFT and BOFT: blocks of a weight's rows are rotated, and may be scaled after that.
///
/// A block is `R = (I + Q)(I − Q)⁻¹` of the skew matrix `Q = B − Bᵀ`, which is shortened to the norm
/// `alpha · rows` if that is more than zero and less. OFT: `W′ₖ = Rₖᵀ Wₖ` for consecutive rows; BOFT: `W′ = Rₖ W` in
/// stages, stage i over rows that are `2ⁱ·b/2` apart. Then `W′ ← s ∘ W′` by row. Strengths multiply `W′ − W`, as in
/// the web UI. Source: Qiu et al. 2023 (OFT), eq. 5; Liu et al. 2024 (BOFT), section 4; names and orders: LyCORIS,
/// `diag_oft.py` and `boft.py`, and kohya, `oft.py`.
struct OrthogonalRotation: AdapterFamily {
  static let family = "OFT"
  static let endings: [(ending: String, part: String)] = [
    (".oft_blocks", "oft_blocks"), (".oft_diag", "oft_diag"), (".rescale", "rescale"),
  ]

  /// `[k,b,b]`, or `[stages,k,b,b]`.
  private let blocks: HostArray
  /// Whether they are rotations already, as old files of LyCORIS have them.
  private let isRotation: Bool
  private let limit: Float
  private let rescale: [Float]?
  let rank: Int? = nil

  init(_ tensors: LayerTensors) throws(AdapterFault) {
    isRotation = tensors.has("oft_diag")
    let part = isRotation ? "oft_diag" : "oft_blocks"
    blocks = try tensors.array(part, axes: 3)
    let side = blocks.shape[blocks.shape.count - 1]
    guard blocks.shape.count <= 4, blocks.shape[blocks.shape.count - 2] == side, side <= Self.largestBlock else {
      throw tensors.error(
        part, "has shape \(blocks.shape), expected [blocks, n, n] or [stages, blocks, n, n] up to \(Self.largestBlock)")
    }
    guard blocks.shape.count == 3 || side % 2 == 0 else {
      throw tensors.error(part, "has shape \(blocks.shape), expected blocks of an even size in stages")
    }
    limit = try tensors.number(AdapterFamilies.alpha) ?? 0
    rescale = tensors.has("rescale") ? try tensors.array("rescale", axes: 1).floats : nil
  }

  private static let largestBlock = 4096
  private var side: Int { blocks.shape[blocks.shape.count - 1] }
  private var stages: Int { blocks.shape.count == 4 ? blocks.shape[0] : 1 }
  private var perStage: Int { blocks.shape[blocks.shape.count - 3] }

  func check(_ tensor: ChangedTensor) throws {
    guard perStage * side == tensor.rows, stages < 32,
      blocks.shape.count == 3 || tensor.rows % (side << (stages - 1)) == 0,
      rescale.map({ $0.count == tensor.rows }) ?? true
    else {
      throw tensor.misfit([perStage * side])
    }
  }

  func change(of tensor: ChangedTensor) throws -> [Float] {
    try check(tensor)
    let isStaged = blocks.shape.count == 4
    let (weight, depth) = (try tensor.values(), tensor.depth)
    var rotated = weight
    let moves = moves(Float(tensor.rows))
    for stage in 0..<stages {
      let order = isStaged ? Self.order(tensor.rows, apart: (side / 2) << stage) : Array(0..<tensor.rows)
      for block in 0..<perStage {
        let rows = order[block * side..<(block + 1) * side]
        var own: [Float] = []
        own.reserveCapacity(side * depth)
        for row in rows { own += rotated[row * depth..<(row + 1) * depth] }
        let move = moves[stage * perStage + block]
        let moved = FloatMatrix.product(move, own, rows: side, inner: side)
        for (place, row) in rows.enumerated() {
          for column in 0..<depth { rotated[row * depth + column] += moved[place * depth + column] }
        }
      }
    }
    if let rescale {
      for place in rotated.indices { rotated[place] *= rescale[place / depth] }
    }
    return zip(rotated, weight).map { $0 - $1 }
  }

  /// The rows in the order in which blocks take them: those that are so far apart side by side.
  private static func order(_ rows: Int, apart: Int) -> [Int] {
    (0..<rows).map { place in
      let (group, inside) = (place / (2 * apart), place % (2 * apart))
      return group * 2 * apart + inside % 2 * apart + inside / 2
    }
  }

  /// What each block's rotation adds to its rows, `Rᵀ − I` or `R − I`.
  private func moves(_ rows: Float) -> [[Float]] {
    let (n, isStaged) = (side, blocks.shape.count == 4)
    let given = blocks.floats.map(Double.init)
    let size = n * n
    if isRotation {
      return (0..<given.count / size).map { block in
        (0..<size).map { place in
          let (row, column) = (place / n, place % n)
          let value = given[block * size + (isStaged ? place : column * n + row)]
          return Float(value - (row == column ? 1 : 0))
        }
      }
    }
    var skew = given
    for block in 0..<given.count / size {
      for row in 0..<n {
        for column in 0..<n {
          skew[block * size + row * n + column] =
            given[block * size + row * n + column] - given[block * size + column * n + row]
        }
      }
    }
    let norm = skew.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let most = Double(limit * rows)
    // The norm is that of all blocks together.
    let factor = most > 0 && norm > most ? most / norm : 1
    return (0..<skew.count / size).map { block in
      // R − I = 2 (I − Q)⁻¹ Q, and for Rᵀ the sign of Q is the other one.
      let sign = (isStaged ? 1.0 : -1.0) * factor
      return Self.cayley(skew[block * size..<(block + 1) * size].map { $0 * sign }, n)
    }
  }

  /// `2 (I − Q)⁻¹ Q` of a skew Q: elimination needs no exchange of rows, since the symmetric part of I − Q is I.
  private static func cayley(_ skew: [Double], _ n: Int) -> [Float] {
    var left = skew.map { -$0 }
    for row in 0..<n { left[row * n + row] += 1 }
    var right = skew.map { 2 * $0 }
    left.withUnsafeMutableBufferPointer { left in
      right.withUnsafeMutableBufferPointer { right in
        for pivot in 0..<n {
          for row in pivot + 1..<max(n, pivot + 1) {
            let factor = left[row * n + pivot] / left[pivot * n + pivot]
            if factor == 0 { continue }
            for column in pivot..<n { left[row * n + column] -= factor * left[pivot * n + column] }
            for column in 0..<n { right[row * n + column] -= factor * right[pivot * n + column] }
          }
        }
        for pivot in (0..<n).reversed() {
          for column in 0..<n {
            var sum = right[pivot * n + column]
            for k in pivot + 1..<max(n, pivot + 1) { sum -= left[pivot * n + k] * right[k * n + column] }
            right[pivot * n + column] = sum / left[pivot * n + pivot]
          }
        }
      }
    }
    return right.map { Float($0) }
  }
}
