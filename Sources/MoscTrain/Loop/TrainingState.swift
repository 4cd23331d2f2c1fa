import Foundation
import MoscFormats
import MoscReport

/// A run between two steps: everything that the next one depends on.
///
/// Written whole through a temporary file, so that a run that is killed while it saves finds the
/// state before it.
struct TrainingState {
  /// Updates done.
  var step = 0
  let groups: [ParameterGroup]
  private let file: URL
  private let settings: RunSettings

  private static let kind = "training state"

  /// The state of a run, before its parameters are made: what a long preparation need not wait for.
  struct Start {
    /// Updates done.
    fileprivate(set) var step = 0
    fileprivate let file: URL
    fileprivate let settings: RunSettings
    /// The state to go on from.
    fileprivate var stored: SafetensorsFile?
  }

  /// Begins a run, or goes on with it if it is to and there is a state.
  ///
  /// - Throws: `CommandError.usage` for a state of other settings, `FormatError` for one of no run.
  static func open(_ file: URL, _ settings: RunSettings, resumes: Bool) throws -> Start {
    var start = Start(file: file, settings: settings)
    guard resumes, FileManager.default.fileExists(atPath: file.path) else { return start }
    let stored = try SafetensorsFile(file)
    start.step = try check(stored, file, settings)
    start.stored = stored
    return start
  }

  /// - Parameter groups: the parameters as they are before the first step; they get the values of the
  ///   state.
  init(_ start: Start, _ groups: [ParameterGroup]) throws {
    (file, settings, step) = (start.file, start.settings, start.step)
    self.groups = groups
    guard let stored = start.stored else { return }
    for group in groups {
      for role in group.lasting {
        for slice in group.layout.slices {
          let name = Self.name(role, slice.name)
          let values = try stored.array(name)
          guard values.shape == slice.shape else {
            throw FormatError(
              file.path, "tensor \"\(name)\"",
              "has shape \(values.shape), expected \(slice.shape)")
          }
          try group.set(role, slice, to: values.floats)
        }
      }
    }
  }

  /// The number of steps in a state of this run.
  private static func check(
    _ stored: SafetensorsFile, _ file: URL, _ settings: RunSettings
  ) throws -> Int {
    guard stored.metadata["mosc"] == kind, let text = stored.metadata["settings"],
      let step = stored.metadata["step"].flatMap(Int.init), step >= 0
    else {
      throw FormatError(file.path, nil, "is no state of a training run that says its settings")
    }
    let differences = try settings.differences(from: text, path: file.path)
    guard differences.isEmpty else {
      throw CommandError.usage(
        "--resume: the run in '\(file.path)' has \(differences.joined(separator: "; ")); repeat its "
          + "settings, or remove the file to start over")
    }
    return step
  }

  private static func name(_ role: ParameterGroup.Role, _ tensor: String) -> String {
    "\(role.rawValue).\(tensor)"
  }

  /// Writes the state, whole or not at all.
  func write() throws {
    let tensors = groups.flatMap { group in
      group.lasting.flatMap { role in
        group.tensors(role).map { (Self.name(role, $0.name), $0.values) }
      }
    }
    try SafetensorsFile.write(
      tensors,
      metadata: ["mosc": Self.kind, "step": String(step), "settings": settings.text], to: file)
  }

  /// Removes the file of a run that is over.
  func remove() { try? FileManager.default.removeItem(at: file) }
}
