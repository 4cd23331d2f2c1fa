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
  /// The mean of the largest numbers of all `sᵢ Bᵢ Aᵢ` that agree in sign.
  case ties
  /// `Σ sᵢ Bᵢ Aᵢ` of some numbers chosen at random.
  case dare

  /// Whether numbers of the changes are left out.
  package var isSparse: Bool { self == .ties || self == .dare }
}

/// A concept to fuse, or several.
package enum FusionInput: Hashable, Sendable {
  /// A configuration of the reference, a `.json` file.
  case configuration(String)
  /// A concept file with strengths.
  case concept(AdapterRequest)

  /// Reads `config.json` or `FILE[:te[:unet]]`; nil for strengths that are no numbers.
  package init?(spelling: String) {
    if spelling.lowercased().hasSuffix(".json") {
      self = .configuration(spelling)
    } else if let concept = AdapterRequest(spelling: spelling) {
      self = .concept(concept)
    } else {
      return nil
    }
  }
}

/// New strengths for a concept.
package struct Reweighing: Hashable, Sendable {
  /// The concept's name, or one of its words.
  package var name: String
  package var textEncoder: Float
  package var unet: Float

  /// Reads `NAME=te[:unet]`; nil for anything else.
  package init?(spelling: String) {
    guard let sign = spelling.lastIndex(of: "="),
      let strengths = AdapterRequest(spelling: "x:\(spelling[sign...].dropFirst())"), strengths.path == "x"
    else { return nil }
    (name, textEncoder, unet) = (String(spelling[..<sign]), strengths.textEncoder, strengths.unet)
  }
}

/// What `mosc fuse` is asked for.
package struct FuseRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var inputs: [FusionInput] = []
  /// The fused concept file, or a folder for numbered ones.
  package var output = OutputPattern.workingFolder
  /// A folder that receives the whole fused model.
  package var fullModel: String?
  /// A folder that keeps the statistics of the concepts.
  package var statistics: String?
  /// Concepts that join those of the statistics folder.
  package var added: [FusionInput] = []
  /// The names or words of concepts that leave the statistics folder.
  package var removed: [String] = []
  package var reweighed: [Reweighing] = []
  package var method = FusionMethod.solve
  /// The rank of `svd`, `ties` and `dare`; nil for the largest of the concepts, or all ranks together.
  package var rank: Int?
  /// The share of numbers that `ties` and `dare` leave; nil for half of them.
  package var density: Double?
  /// nil for the default.
  package var solver: FusionSolver?
  /// Whether the stages follow each other as in the Mix-of-Show code.
  package var matchesMixOfShow = false
  /// The edge of the concepts' pictures; nil for the size the model was trained at.
  package var size: Int?
  package var steps = 20
  /// A text file of more prompts to draw concepts in, with `<TOK>` for their words, and of such without it, for which
  /// refining holds the fused model to the base; nil for those that suit the model.
  package var prompts: String?
  /// Steps of training after solving for each concept, and for the prompts of none together; nil for those that suit the model.
  package var refineSteps: Int?
  /// The learning rate of that; nil for the one that suits the model.
  package var refineRate: Double?
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

  package func check() throws {
    try CommandError.check("steps", steps, in: 1...1000)
    try CommandError.check("textenc-iters", textIterations, in: 1...100_000)
    try CommandError.check("unet-iters", unetIterations, in: 1...100_000)
    if let refineSteps { try CommandError.check("refine", refineSteps, in: 0...100_000) }
    if let refineRate, !(refineRate > 0 && refineRate.isFinite) {
      throw CommandError.usage("--refine-lr \(refineRate): expected a number above 0")
    }
    if let size { try CommandError.check("size", size, in: 8...4096) }
    if let rank { try CommandError.check("rank", rank, in: 1...4096) }
    if let density {
      guard method.isSparse else {
        throw CommandError.usage("--density \(density): only --merge ties and dare leave numbers out")
      }
      guard density > 0, density <= 1 else {
        throw CommandError.usage("--density \(density): expected a share above 0, up to 1")
      }
    }
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
    guard prompts == nil || !matchesMixOfShow else {
      throw CommandError.usage("--prompts: --compat mix-of-show measures by the reference's prompt alone")
    }
    guard refineSteps ?? 0 == 0 || !matchesMixOfShow else {
      throw CommandError.usage("--refine: --compat mix-of-show trains nothing after solving")
    }
    guard refineSteps ?? 0 == 0 || method == .solve else {
      throw CommandError.usage("--refine: --merge \(method.rawValue) runs no network")
    }
    guard prompts == nil || method == .solve else {
      throw CommandError.usage("--prompts: --merge \(method.rawValue) draws nothing")
    }
    guard statistics == nil || method == .solve else {
      throw CommandError.usage("--merge \(method.rawValue) needs no statistics; leave out --stats")
    }
    guard !inputs.isEmpty || statistics != nil else {
      throw CommandError.usage("there is nothing to fuse: name a configuration or concept files")
    }
  }
}
