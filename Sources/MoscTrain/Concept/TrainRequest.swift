import MoscEngine
import MoscFormats
import MoscIR
import MoscNetworks
import MoscReport

/// What `mosc train` is asked for; nil leaves a setting to the configuration, or to its default.
package struct TrainRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  /// A Mix-of-Show or kohya configuration.
  package var config: String?
  /// A folder of pictures, in place of a configuration.
  package var data: String?
  package var captions: String?
  package var masks: String?
  /// The words to teach, such as `<a1> <a2>`.
  package var concept: String?
  /// What they start from, such as `cat`.
  package var start: String?
  package var output: String
  package var layout: ConceptFile.Layout?
  package var resolution: Int?
  package var steps: Int?
  package var batchSize: Int?
  package var accumulation: Int?
  package var rank: Int?
  package var alpha: Double?
  package var embeddingRate: Double?
  package var textEncoderRate: Double?
  package var unetRate: Double?
  package var schedule = LearningRateSchedule.Shape.linear
  package var warmUp = 0
  package var noiseOffset: Double?
  /// The weight of the attention regulariser; 0 for none.
  package var attentionWeight: Double?
  /// Whether the loss counts only where the masks are white.
  package var usesMaskLoss: Bool?
  /// Whether every cross-attention layer has an embedding of its own.
  package var isLayerwise: Bool?
  package var seed: UInt64?
  package var embeddingNormThreshold: Double?
  /// The decay of a running mean of the parameters, which is what the file then holds.
  package var averageDecay: Double?
  /// How many variants of a picture are encoded, where its transforms draw.
  package var variants = 8
  /// Steps between saved states.
  package var saveInterval: Int?
  package var resumes = false
  /// Steps between preview pictures; nil for none.
  package var previewInterval: Int?
  package var previewPrompts: [String] = []
  package var recordDraws: String?
  package var replayDraws: String?
  /// The most memory that the run may plan for, in bytes.
  package var memoryLimit: Int?
  /// Whether the time of each kernel is shown at the end.
  package var profiles = false

  package init(output: String) { self.output = output }
}

extension TrainRequest {
  /// Sets the layout of the file by name.
  package mutating func setLayout(_ name: String) throws {
    guard let layout = ConceptFile.Layout(rawValue: name) else {
      let known = ConceptFile.Layout.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommandError.usage("--format '\(name)': expected one of \(known)")
    }
    self.layout = layout
  }

  /// Sets the shape of the learning rates by name.
  package mutating func setSchedule(_ name: String) throws {
    guard let shape = LearningRateSchedule.Shape(rawValue: name) else {
      let known = LearningRateSchedule.Shape.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommandError.usage("--lr-scheduler '\(name)': expected one of \(known)")
    }
    schedule = shape
  }

  /// Sets the memory limit from a text such as `6G`, `800M` or a number of bytes.
  package mutating func setMemoryLimit(_ text: String) throws {
    let units: [Character: Double] = ["K": 0x1p10, "M": 0x1p20, "G": 0x1p30]
    let unit = text.uppercased().last.flatMap { units[$0] }
    let number = unit == nil ? text : String(text.dropLast())
    guard let value = Double(number), value > 0, value.isFinite else {
      throw CommandError.usage("--max-ram '\(text)': expected a size such as 6G or 800M")
    }
    memoryLimit = Int(value * (unit ?? 1))
  }
}
