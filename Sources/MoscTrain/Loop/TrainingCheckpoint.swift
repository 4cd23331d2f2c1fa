import Foundation
import MoscFormats

/// A run between two steps: everything that the next one depends on.
///
/// Written whole through a temporary file, so that a run that is killed while it saves finds the
/// state before it.
struct TrainingCheckpoint {
  /// Updates done.
  var step: Int
  /// Whether the embeddings are no longer trained.
  var isFrozen: Bool
  private let url: URL
  /// What the run must agree with to be taken up.
  private let fingerprint: String

  private static let kind = "training state"

  init(_ url: URL, fingerprint: String) {
    self.url = url
    self.fingerprint = fingerprint
    step = 0
    isFrozen = false
  }

  /// Writes the state of groups.
  func write(_ groups: [ParameterGroup]) throws {
    var tensors: [(String, HostArray)] = []
    for group in groups {
      for array in ParameterGroup.Role.lasting {
        tensors += group.tensors(array).map { ("\(array.rawValue).\($0.name)", $0.values) }
      }
    }
    try SafetensorsFile.write(
      tensors,
      metadata: [
        "mosc": Self.kind, "step": String(step), "frozen": String(isFrozen),
        "fingerprint": fingerprint,
      ], to: url)
  }

  /// Reads the state into groups; without a file nothing is done.
  ///
  /// - Throws: `FormatError` for a state of another run.
  mutating func resume(_ groups: [ParameterGroup]) throws {
    guard FileManager.default.fileExists(atPath: url.path) else { return }
    let file = try SafetensorsFile(url)
    guard file.metadata["mosc"] == Self.kind, let text = file.metadata["step"],
      let step = Int(text), step >= 0
    else { throw FormatError(url.path, nil, "is not the state of a training run") }
    guard file.metadata["fingerprint"] == fingerprint else {
      throw FormatError(
        url.path, nil,
        "is the state of a run with other settings or data; repeat its command line, or remove the "
          + "file to start over")
    }
    for group in groups {
      for array in ParameterGroup.Role.lasting where group.buffer(array) != nil {
        for slice in group.layout.slices {
          let values = try file.array("\(array.rawValue).\(slice.name)")
          guard values.shape == slice.shape else {
            throw FormatError(
              url.path, "tensor \"\(array.rawValue).\(slice.name)\"",
              "has shape \(values.shape), expected \(slice.shape)")
          }
          try group.set(array, slice, to: values.floats)
        }
      }
    }
    self.step = step
    isFrozen = file.metadata["frozen"] == "true"
  }

  /// Removes the file of a run that is over.
  func remove() { try? FileManager.default.removeItem(at: url) }
}
