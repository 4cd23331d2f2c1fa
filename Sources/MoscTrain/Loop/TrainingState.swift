import Foundation
import MoscFormats
import MoscReport
import MoscSample

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

    /// Whether there was a state to go on from.
    var isResumed: Bool { stored != nil }
  }

  /// What a run does about a state that is there already.
  enum Policy: Hashable, Sendable {
    /// Refuses to begin: nobody's work is thrown away unasked.
    case keep
    /// Removes it once the new run is ready to begin.
    case discard
    /// Goes on from it.
    case resume

    /// - Throws: `CommandError.usage` for flags that exclude each other.
    init(resumes: Bool, overwrites: Bool) throws {
      if resumes && overwrites {
        throw CommandError.usage("--resume and --overwrite exclude each other")
      }
      self = resumes ? .resume : overwrites ? .discard : .keep
    }
  }

  /// Refuses to begin a run anew where the state of another one lies.
  ///
  /// - Throws: `CommandError.usage` that says how far that run is.
  static func check(_ file: URL, _ policy: Policy) throws {
    guard policy == .keep, FileManager.default.fileExists(atPath: file.path) else { return }
    let metadata = (try? SafetensorsFile(file))?.metadata ?? [:]
    let step = metadata["step"]
    // Nothing of a run that came to its end is lost: its result is there, and is asked to be replaced.
    if let done = step.flatMap(Int.init), let total = metadata["steps"].flatMap(Int.init), done >= total {
      return
    }
    throw CommandError.usage(
      "'\(file.path)' keeps a run\(step.map { " after step \($0)" } ?? ""); go on from it with --resume, "
        + "or begin anew with --overwrite")
  }

  /// Begins a run, or goes on with it if it is to and there is a state.
  ///
  /// - Throws: `CommandError.usage` for a state of other settings, `FormatError` for one of no run or a
  ///   damaged one.
  static func open(_ file: URL, _ settings: RunSettings, _ policy: Policy) throws -> Start {
    try check(file, policy)
    var start = Start(file: file, settings: settings)
    guard policy == .resume, FileManager.default.fileExists(atPath: file.path) else { return start }
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
    guard let stored = start.stored else {
      remove()
      return
    }
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
      let step = stored.metadata["step"].flatMap(Int.init), step >= 0,
      let checksum = stored.metadata["sha256"]
    else {
      throw FormatError(
        file.path, nil,
        "is no state of a training run that says its settings and a checksum; --overwrite begins anew")
    }
    let content = stored.entries.map { ($0.name, $0.shape, FileHash.sha256(stored.bytes(of: $0))) }
    guard Self.checksum(step, text, content) == checksum else {
      throw FormatError(
        file.path, nil,
        "is damaged: its content does not have the checksum it was written with; --overwrite begins anew")
    }
    let differences = try settings.differences(from: text, path: file.path)
    guard differences.isEmpty else {
      throw CommandError.usage(
        "--resume: the run in '\(file.path)' has \(differences.joined(separator: "; ")); repeat its "
          + "settings, or begin anew with --overwrite")
    }
    return step
  }

  /// A hash of everything that a state says.
  private static func checksum(
    _ step: Int, _ settings: String, _ tensors: [(name: String, shape: [Int], hash: String)]
  ) -> String {
    let lines = tensors.map { "\($0.name) \($0.shape) \($0.hash)" }.sorted()
    return FileHash.sha256(Data((["\(step)", settings] + lines).joined(separator: "\n").utf8))
  }

  private static func name(_ role: ParameterGroup.Role, _ tensor: String) -> String {
    "\(role.rawValue).\(tensor)"
  }

  /// Bytes of the file, without its table.
  var byteCount: Int {
    groups.reduce(0) { $0 + $1.lasting.count * $1.layout.slices.reduce(0) { $0 + $1.count * 4 } }
  }

  /// Writes the state, whole or not at all.
  ///
  /// - Parameter total: the steps at which the run is finished.
  func write(of total: Int) throws {
    let tensors = groups.flatMap { group in
      group.lasting.flatMap { role in
        group.tensors(role).map { (Self.name(role, $0.name), $0.values) }
      }
    }
    let content = tensors.map { ($0.0, $0.1.shape, FileHash.sha256($0.1.bytes)) }
    try SafetensorsFile.write(
      tensors,
      metadata: [
        "mosc": Self.kind, "step": String(step), "steps": String(total),
        "settings": settings.text,
        "sha256": Self.checksum(step, settings.text, content),
      ], to: file)
  }

  /// Removes the state of a run that is begun anew.
  private func remove() { try? FileManager.default.removeItem(at: file) }
}
