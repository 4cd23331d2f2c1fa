import Foundation
import MoscEngine
import MoscNetworks
import MoscReport
import MoscSample

/// What `mosc evaluate` is asked for.
package struct EvaluateRequest: Hashable, Sendable {
  /// A concept with its references, as `NAME=FOLDER`.
  package struct Concept: Hashable, Sendable {
    package var name: String
    package var folder: String

    /// Reads `NAME=FOLDER`; nil for anything else.
    package init?(spelling: String) {
      guard let split = spelling.firstIndex(of: "="), split != spelling.startIndex else { return nil }
      name = String(spelling[..<split])
      folder = String(spelling[spelling.index(after: split)...])
      if folder.isEmpty { return nil }
    }
  }

  /// Pictures that are there; nil to draw them.
  package var pictures: String?
  /// Pictures of the model without the concept, of the same prompts; nil to draw them.
  package var basePictures: String?
  /// How pictures are drawn: model, adapters, sampler, seeds and regions.
  package var sample = SampleRequest()
  /// A prompt per line; lines that begin with `#` name the group that follows.
  package var promptFile: String?
  /// Prompts with captions that are wrong about them.
  package var probeFile: String?
  /// Adapters that are compared, each alone beside those of `sample`.
  package var candidates: [AdapterRequest] = []
  /// Strengths of each candidate.
  package var strengths: [Float] = []
  package var references: String?
  package var masks: String?
  /// What the concept is.
  package var className: String?
  /// The words of the concept; nil for those of the adapters.
  package var words: String?
  /// The concepts of the regions, in their order.
  package var concepts: [Concept] = []
  /// Captioned pictures that no training has seen.
  package var heldOut: String?
  /// A CLIP model; nil for the judge that ships.
  package var clip: String?
  package var printsJSON = false
  /// A picture of all pictures.
  package var sheet: String?
  /// A folder that drawn pictures are kept in.
  package var keep: String?
  /// What resampled prompts and held-out noise are drawn from.
  package var seed: UInt64 = 0

  package init() { sample.seeds = Self.usualSeeds }

  package static let usualSeeds: [UInt64] = [0, 1, 2, 3]
  /// As many pictures of a prompt as Mix-of-Show's evaluation draws.
  package static let fullSeeds = [UInt64](0..<50)

  /// Refuses what contradicts itself, before anything is read.
  package func check() throws {
    guard pictures == nil || (promptFile == nil && probeFile == nil && candidates.isEmpty && keep == nil)
    else {
      throw CommandError.usage(
        "--pictures are judged as they are; --prompts, --probes, --candidate and --keep are for drawing")
    }
    guard pictures != nil || promptFile != nil || probeFile != nil else {
      throw CommandError.usage(
        "what to judge? Give --pictures, or prompts to draw with --prompts or --probes")
    }
    if promptFile != nil, probeFile != nil {
      throw CommandError.usage("--prompts and --probes exclude each other")
    }
    if masks != nil, references == nil { throw CommandError.usage("--masks are those of --references") }
    if !strengths.isEmpty, candidates.isEmpty {
      throw CommandError.usage("--strength is for the adapters of --candidate")
    }
    if let bad = strengths.first(where: { !$0.isFinite }) {
      throw CommandError.usage("--strength \(bad): expected a number")
    }
    if heldOut != nil, pictures != nil {
      throw CommandError.usage("--held-out measures a model; with --pictures there is none")
    }
    if concepts.count == 1 {
      throw CommandError.usage("--concept: one concept is told apart from nothing, expected two or more")
    }
  }
}
