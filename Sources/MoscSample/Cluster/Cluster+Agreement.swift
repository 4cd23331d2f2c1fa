import MoscCluster
import MoscEngine
import MoscFormats

extension Cluster {
  /// Fails unless all processes compute the same: settings with the contents of models and data, version,
  /// and the kernels of one processor.
  package func agree(_ settings: RunSettings, _ compiler: Compiler) throws {
    let facts = settings.adding(RunSettings.machine(compiler))
    try agree(facts.text) { first in try facts.differences(from: first, path: "rank 0") }
  }
}

extension Cluster {
  /// The options of a compiler with this process's share of the machine, unless they say another.
  package func compiling(_ options: CompilationOptions) -> CompilationOptions {
    var options = options
    if options.threads == nil { options.threads = threads }
    return options
  }
}

extension RunSettings {
  /// The program and the machine that several processes must have alike.
  package static func machine(_ compiler: Compiler) -> [Fact] {
    let target = compiler.target
    return [
      ("version", .string(Version.text)), ("processor", .string(target.cpu)),
      ("processor features (one --mcpu for all makes them equal)", .string(target.features)),
    ]
  }
}
