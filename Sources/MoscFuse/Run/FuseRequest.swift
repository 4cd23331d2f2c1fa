import MoscEngine
import MoscNetworks
import MoscReport


/// How concepts become one change of the model.
package enum FusionMethod: String, CaseIterable, Hashable, Sendable {
  /// Least squares over what each concept makes of its own inputs.
  case solve
  /// `Σ sᵢ Bᵢ Aᵢ / n`, the reference's weight fusion.
  case weighted
  /// `Σ sᵢ Bᵢ Aᵢ`.
  case concat
  /// The best approximation of `Σ sᵢ Bᵢ Aᵢ` of a given rank.
  case svd
}

/// What `mosc fuse` is asked for.
package struct FuseRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  /// Configurations of the reference (`.json`), or concept files with strengths.
  package var inputs: [String] = []
  /// The fused concept file.
  package var output = "fused.safetensors"
  /// A folder that receives the whole fused model.
  package var fullModel: String?
  /// A folder that keeps the statistics of the concepts.
  package var statistics: String?
  /// Concepts that join those of the statistics folder.
  package var added: [String] = []
  /// The names or words of concepts that leave the statistics folder.
  package var removed: [String] = []
  /// New strengths, as `NAME=te[:unet]`.
  package var reweighed: [String] = []
  package var method = FusionMethod.solve
  /// The rank of `svd`; nil for the largest of the concepts.
  package var rank: Int?
  /// nil for the default.
  package var solver: FusionSolver?
  /// Whether the stages follow each other as in the Mix-of-Show code.
  package var matchesMixOfShow = false
  /// The edge of the concepts' pictures; nil for the size the model was trained at.
  package var size: Int?
  package var steps = 20
  /// Iterations of `lbfgs` for the text encoder and for cross-attention keys and values.
  package var textIterations = 500
  /// Iterations of `lbfgs` for the other layers of the U-Net.
  package var unetIterations = 50
  /// A safetensors file whose `init_latents.<i>` begin the concepts' pictures.
  package var latentsIn: String?
  package var seed: UInt64 = 0
  /// A JSON file that receives residuals, times and memory.
  package var report: String?
  /// A PNG that receives each concept alone and from the fused model.
  package var sheet: String?
  /// The largest relative residual of any concept and layer that is no failure.
  package var failAbove: Double?

  package init() {}

  /// The solver in use.
  package var chosenSolver: FusionSolver {
    solver ?? (matchesMixOfShow ? .lbfgs : Self.defaultSolver)
  }

  /// The solver that kept concepts best where it was measured.
  package static let defaultSolver = FusionSolver.ridge

  /// Chooses a solver by name; nil leaves the default.
  package mutating func choose(solver name: String?) throws {
    solver = try name.map { try FusionSolver(option: $0) }
  }

  package func check() throws {
    func atLeast(_ option: String, _ value: Int, _ least: Int, _ most: Int) throws {
      guard least...most ~= value else {
        throw CommandError.usage("--\(option) \(value): expected a number from \(least) to \(most)")
      }
    }
    try atLeast("steps", steps, 1, 1000)
    try atLeast("textenc-iters", textIterations, 1, 100_000)
    try atLeast("unet-iters", unetIterations, 1, 100_000)
    if let size { try atLeast("size", size, 8, 4096) }
    if let rank { try atLeast("rank", rank, 1, 4096) }
    if let failAbove, !(failAbove > 0) {
      throw CommandError.usage("--fail-above \(failAbove): expected a number above 0")
    }
    guard model.adapters.files.isEmpty else {
      throw CommandError.usage("fuse takes concepts as arguments, not with --lora")
    }
    let changes = added.count + removed.count + reweighed.count
    guard changes == 0 || statistics != nil else {
      throw CommandError.usage("--add, --remove and --reweigh change the concepts of --stats FOLDER")
    }
    guard changes == 0 || inputs.isEmpty else {
      throw CommandError.usage(
        "--add, --remove and --reweigh start from the concepts of --stats; name no others")
    }
    guard statistics == nil || !matchesMixOfShow else {
      throw CommandError.usage(
        "--compat mix-of-show measures each stage on the fused stages before it, so its "
          + "statistics are of no use for other sets of concepts; leave out --stats")
    }
    guard statistics == nil || method == .solve else {
      throw CommandError.usage("--merge \(method.rawValue) needs no statistics; leave out --stats")
    }
    guard !inputs.isEmpty || statistics != nil else {
      throw CommandError.usage("there is nothing to fuse: name a configuration or concept files")
    }
  }
}

extension FusionSolver {
  /// The solver of that name.
  package init(option: String) throws {
    guard let solver = Self(rawValue: option) else {
      let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommandError.usage("--solver '\(option)': expected one of \(known)")
    }
    self = solver
  }
}
