import MoscCluster
import MoscEngine
import MoscFormats

extension Cluster {
  /// Fails unless all processes compute the same: settings with the contents of models and data, version,
  /// and the kernels of one processor.
  func agree(_ settings: RunSettings, _ compiler: Compiler) throws {
    let target = compiler.target
    let facts = settings.adding([
      ("version", .string(Version.text)), ("processor", .string(target.cpu)),
      (
        "processor features (one --mcpu for all makes them equal)",
        .string(target.features)
      ),
    ])
    try agree(facts.text) { first in try facts.differences(from: first, path: "rank 0") }
  }
}
