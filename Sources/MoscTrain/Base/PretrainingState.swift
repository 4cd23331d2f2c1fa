import Foundation
import MoscFormats
import MoscReport
import MoscRuntime

/// Everything a stage goes on from: weights, moments, running means, and the number of steps done.
struct PretrainingState {
  var groups: [ParameterGroup]
  var step = 0

  /// The tensors that a step trains, with their start.
  ///
  /// - Parameter start: the weights of the trained parts by name.
  init(
    _ trained: [(name: String, shape: [Int])], _ start: [String: HostArray],
    _ recipe: PretrainingRecipe
  ) throws {
    // Decay pulls weights to zero; norms, biases and embeddings have no reason to go there.
    func decays(_ tensor: (name: String, shape: [Int])) -> Bool {
      tensor.shape.count > 1 && !tensor.name.contains("embedding.weight")
    }
    groups = []
    for (name, tensors) in [
      ("matrices", trained.filter(decays)), ("vectors", trained.filter { !decays($0) }),
    ] where !tensors.isEmpty {
      let group = try ParameterGroup(
        name, FlatLayout(tensors.map { ($0.name, $0.shape) }), learningRate: recipe.learningRate,
        weightDecay: name == "matrices" ? recipe.weightDecay : 0, keepsAverage: true)
      try group.start { start[$0] }
      groups.append(group)
    }
  }

  /// Writes the state, whole or not at all.
  func write(to file: URL, settings: [String: String]) throws {
    var tensors: [(name: String, array: HostArray)] = []
    for group in groups {
      for role in ParameterGroup.Role.lasting {
        guard let floats = group.buffer(role)?.floats else { continue }
        let values = [Float](floats[..<group.layout.count])
        let array = HostArray(values, shape: [values.count])
        tensors.append(("\(group.name).\(role.rawValue)", array))
      }
    }
    var metadata = settings
    metadata["step"] = "\(step)"
    try SafetensorsFile.write(tensors, metadata: metadata, to: file)
  }

  /// Takes over a written state.
  ///
  /// - Throws: `CommandError.usage` for a state of a run with other settings; what is wrong with the
  ///   file.
  mutating func read(_ file: URL, settings: [String: String]) throws {
    let stored = try SafetensorsFile(file)
    for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
      let found = stored.metadata[key] ?? "nothing"
      guard found == value else {
        throw CommandError.usage(
          "--resume: the run in '\(file.path)' has --\(key) \(found), this one has \(value)")
      }
    }
    guard let step = stored.metadata["step"].flatMap(Int.init) else {
      throw FormatError(file.path, "metadata \"step\"", "is missing, expected the number of steps")
    }
    for group in groups {
      for role in ParameterGroup.Role.lasting {
        let name = "\(group.name).\(role.rawValue)"
        let values = try stored.array(name)
        guard values.shape == [group.layout.count] else {
          throw FormatError(
            file.path, "tensor \"\(name)\"",
            "has shape \(values.shape), expected [\(group.layout.count)]")
        }
        try group.replace(role, with: values.floats)
      }
    }
    self.step = step
  }

  /// The running means of the weights by name.
  var average: [String: HostArray] {
    Dictionary(
      uniqueKeysWithValues: groups.flatMap { group in
        group.tensors(.average).map { ($0.name, $0.values) }
      })
  }
}
