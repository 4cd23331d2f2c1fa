/// The random sources that can be asked for.
package enum RandomSourceKind: String, CaseIterable, Hashable, Codable, Sendable {
  /// torch on a CPU, which is what diffusers does with a CPU generator.
  case cpu
  /// torch on an NVIDIA device.
  case cuda
  /// NumPy's `RandomState`.
  case numpy

  /// Reads a name; the web UI's "NV" is `cuda`, upper and lower case are alike.
  package init?(spelling: String) {
    let name = spelling.lowercased()
    self.init(rawValue: name == "nv" ? "cuda" : name)
  }

  /// The web UI's name, which metadata uses.
  package var title: String {
    switch self {
    case .cpu: "CPU"
    case .cuda: "NV"
    case .numpy: "NumPy"
    }
  }

  /// Starts the stream of a seed.
  package func source(seed: UInt64) -> any RandomSource {
    switch self {
    case .cpu: TorchRandomSource(seed: seed)
    case .cuda: PhiloxRandomSource(seed: seed)
    case .numpy: NumPyRandomSource(seed: seed)
    }
  }
}
