import Foundation
import MoscFormats
import MoscModel

/// What a merge made of a layer without looking at inputs.
struct MergedLayer: Sendable {
  /// A concept's part.
  struct Part: Sendable {
    var name: String
    /// What its file's change is multiplied by: its strength, and the share that the method gives it.
    var weight: Double
    var rank: Int
    /// The norm of what is added, `‖weight · B A‖`.
    var norm: Double
  }

  let layer: FusionLayer
  let method: FusionMethod
  let parts: [Part]
  /// The rank and the norm of the result.
  let rank: Int
  let norm: Double
  /// The norm of what the method left out, beside that of the sum: 0 where nothing is.
  let lost: Double

  /// What a method made of a layer; nil when no concept changes it.
  init?(
    _ layer: FusionLayer, _ method: FusionMethod, _ concepts: [FusionConcept], factor: Double,
    _ result: AdapterFile.Layer?
  ) {
    guard let result else { return nil }
    var parts: [Part] = []
    var ups: [Matrix] = []
    var downs: [Double] = []
    for concept in concepts {
      guard let (up, down) = concept.factors(layer) else { continue }
      let scaled = up * factor
      ups.append(scaled)
      downs += down.values
      parts.append(
        Part(
          name: concept.name, weight: factor * Double(concept.strength[layer.network]), rank: down.rows,
          norm: Self.norm(scaled, down)))
    }
    let up = Matrix.joined(ups, rows: layer.out)
    let whole = Self.norm(up, Matrix(up.columns, layer.depth, downs))
    let rank = result.rank
    let made = Self.norm(
      Matrix(layer.out, rank, result.up.floats.map(Double.init)),
      Matrix(rank, layer.depth, result.down.floats.map(Double.init)))
    (self.layer, self.method, self.parts) = (layer, method, parts)
    (self.rank, norm) = (rank, made)
    // The nearest matrix of a rank is at a right angle to what it leaves out.
    lost = method == .svd && whole > 0 ? max(0, 1 - (made / whole) * (made / whole)).squareRoot() : 0
  }

  /// `‖B A‖ = √ Σ (BᵀB) ∘ (A Aᵀ)`, without the product itself.
  private static func norm(_ up: Matrix, _ down: Matrix) -> Double {
    guard up.columns > 0 else { return 0 }
    let inner = Matrix.product(transposed: up, up).dot(Matrix.product(down, transposed: down))
    return max(0, inner).squareRoot()
  }

  /// One line for people.
  var text: String {
    func number(_ value: Double) -> String { String(format: "%.4g", value) }
    let sum = parts.map { "\(number($0.weight)) · \($0.name) (rank \($0.rank), norm \(number($0.norm)))" }
      .joined(separator: " + ")
    let end = lost > 0 ? ", \(number(100 * lost)) % left out" : ""
    return "\(layer.id): \(sum) → \(method.rawValue), rank \(rank), norm \(number(norm))\(end)"
  }

  var json: JSONValue {
    .object([
      .init("layer", .string(layer.id)), .init("stage", .string(layer.stage.rawValue)),
      .init("method", .string(method.rawValue)), .init("rank", .int(rank)), .init("change", .double(norm)),
      .init("left_out", .double(lost)),
      .init(
        "concepts",
        .array(
          parts.map {
            .object([
              .init("name", .string($0.name)), .init("weight", .double($0.weight)), .init("rank", .int($0.rank)),
              .init("change", .double($0.norm)),
            ])
          })),
    ])
  }
}
