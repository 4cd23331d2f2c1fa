import ArgumentParser
import MoscDiffusion
import MoscDriver
import MoscEngine
import MoscEvaluate
import MoscFormats
import MoscFuse
import MoscModel
import MoscNetworks
import MoscPrompts
import MoscRandom
import MoscReport
import MoscSample
import MoscTrain

// The types that options and arguments have. What they read is theirs; here is only that they may be read.

extension AdaptedLayers: ExpressibleByArgument {}
extension AdapterOptions.Mode: ExpressibleByArgument {}
extension ChangePrinter.Style: ExpressibleByArgument {}
extension ComponentKind: ExpressibleByArgument {}
extension ConceptFile.Layout: ExpressibleByArgument {}
extension CoupledLines.Background: ExpressibleByArgument {}
extension CoupledLines.Direction: ExpressibleByArgument {}
extension RegionalPrompterText.Division: ExpressibleByArgument {}
extension RegionCoverage.Overlap: ExpressibleByArgument {}
extension FusionMethod: ExpressibleByArgument {}
extension FusionSolver: ExpressibleByArgument {}
extension LearningRateSchedule.Shape: ExpressibleByArgument {}
extension LogFormat: ExpressibleByArgument {}
extension ModuleForm: ExpressibleByArgument {}
extension OptimisationLevel: ExpressibleByArgument {}
extension PretrainingScope: ExpressibleByArgument {}
extension PromptRecords.Kind: ExpressibleByArgument {}
extension PromptSettings.Syntax: ExpressibleByArgument {}
extension SavedType: ExpressibleByArgument {}
extension Seamless: ExpressibleByArgument {}
extension TilingOptions.Mode: ExpressibleByArgument {}
extension SchedulerConfig.Prediction: ExpressibleByArgument {}
extension SchedulerConfig.Spacing: ExpressibleByArgument {}

extension AdapterRequest: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension ByteSize: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension Emphasis: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension EvaluateRequest.Concept: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension FusionInput: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension HiresUpscaler: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
  package var defaultValueDescription: String { title.lowercased() }
  package static var allValueStrings: [String] { builtIn.map { $0.title.lowercased() } }
}

extension LatentSize: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension PictureSize: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension PictureOptions.Fill: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension PictureOptions.Margins: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension PictureOptions.Resize: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension Precision: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension ProgramSource: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
  package static var allValueStrings: [String] { spellings }
}

extension RandomSourceKind: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension Reweighing: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

extension RunTarget: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
  package static var allValueStrings: [String] { spellings }
}

extension SamplerName.Choice: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
  package static var allValueStrings: [String] { SamplerName.allCases.map(\.rawValue) }
}

extension SchedulerConfig.Levels: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
  package static var allValueStrings: [String] {
    ["default"] + allCases.filter { $0 != .timesteps }.map(\.rawValue)
  }
}

/// Numbers separated by commas.
struct SigmaList: ExpressibleByArgument {
  let levels: [Double]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    levels = parts.compactMap { Double($0.filter { $0 != " " }) }
    guard levels.count == parts.count else { return nil }
  }
}

extension SeedList: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

/// The program whose behaviour is repeated to the bit.
enum CompatibleProgram: String, CaseIterable, ExpressibleByArgument {
  case mixOfShow = "mix-of-show"
}

/// Reads a value of a hidden option, whose errors would otherwise not say what is expected.
func listed<Value: ExpressibleByArgument>(_ text: String) throws -> Value {
  if let value = Value(argument: text) { return value }
  throw ValidationError("expected one of " + Value.allValueStrings.joined(separator: ", "))
}

/// A number of an option with the least, and maybe the largest, that it may be.
///
/// - Throws: an error that names all of them, when it is not among those.
func check(_ option: String, _ value: Int?, least: Int, largest: Int? = nil) throws {
  guard let value, value < least || value > largest ?? value else { return }
  let expected = largest.map { "a number from \(least) to \($0)" } ?? "at least \(least)"
  throw ValidationError("--\(option) \(value): expected \(expected)")
}

extension ElementType: ExpressibleByArgument {
  /// The types that models are written in.
  public init?(argument: String) {
    guard ["f32", "f16", "bf16"].contains(argument.lowercased()) else { return nil }
    self.init(rawValue: argument.uppercased())
  }
}

/// A default of both kinds of models, for help: `16, or 4 for Stable Diffusion`.
func defaults<Value: CustomStringConvertible>(_ path: KeyPath<ModelDefaults, Value>) -> String {
  let usual = "\(ModelDefaults.stableDiffusion[keyPath: path])"
  // Help is shown without the embedded model, too.
  guard let own = ModelDefaults.embedded else { return usual }
  return "\(own[keyPath: path]), or \(usual) for Stable Diffusion"
}
