import CMPI
import Foundation
import MoscReport

/// What there is of MPI on this machine.
package struct MPIFindings: Sendable {
  /// A program that starts others.
  package struct Starter: Hashable, Sendable {
    package let kind: Launcher.Kind
    package let path: String
  }

  /// The launcher that started this process, as its environment tells.
  package let launcher: Launcher?
  /// The library that would be used: the name it was found by, and what it calls itself.
  package let library: (name: String, version: String)?
  private let kind: Launcher.Kind?
  /// Why others cannot be used.
  package let problems: [String]
  package let starters: [Starter]

  package init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    launcher = Launcher(environment)
    var problems: [String] = []
    let found = Launcher.libraries(for: launcher?.kind, environment).first { name in
      guard let problem = mosc_mpi_load(name) else { return true }
      problems.append(String(cString: problem))
      return false
    }
    library = found.map { ($0, MPITransport.version) }
    kind = found == nil ? nil : MPITransport.kind
    self.problems = problems
    starters = Self.starters(environment["PATH"] ?? "")
  }

  /// Programs that start processes, each kind once.
  private static func starters(_ path: String) -> [Starter] {
    let names: [(Launcher.Kind?, String)] = [
      (.openMPI, "mpirun.openmpi"), (.mpich, "mpiexec.mpich"), (.mpich, "mpirun.mpich"), (.slurm, "srun"),
      (nil, "mpirun"), (nil, "mpiexec"),
    ]
    var found: [Starter] = []
    for (kind, name) in names {
      guard let place = path.split(separator: ":").map({ "\($0)/\(name)" })
        .first(where: { FileManager.default.isExecutableFile(atPath: $0) })
      else { continue }
      // A plain name is one of several programs, which its target tells.
      let target = URL(filePath: place).resolvingSymlinksInPath().lastPathComponent
      let known = kind ?? (target.contains("mpich") || target.contains("hydra") ? .mpich : .openMPI)
      if !found.contains(where: { $0.kind == known }) { found.append(Starter(kind: known, path: place)) }
    }
    return found
  }

  /// The program that belongs to the library; nil for none.
  package var starter: Starter? { starters.first { $0.kind == kind } }

  /// A command line that starts processes, to go on with what they do; nil where something is missing.
  ///
  /// - Parameters:
  ///   - processes: how many.
  ///   - hosts: the machines that they are on; empty for this one.
  package func command(_ processes: Int, hosts: [String] = []) -> String? {
    guard let starter else { return nil }
    var words = [URL(filePath: starter.path).lastPathComponent]
    switch starter.kind {
    case .openMPI:
      if geteuid() == 0 { words.append("--allow-run-as-root") }
      words.append("--bind-to none")
      if hosts.isEmpty, processes > ProcessInfo.processInfo.activeProcessorCount / 2 { words.append("--oversubscribe") }
      if !hosts.isEmpty { words.append("--host " + hosts.map { "\($0):1" }.joined(separator: ",")) }
    case .mpich: if !hosts.isEmpty { words.append("-hosts \(hosts.joined(separator: ","))") }
    case .slurm: words.append("--mpi=pmix")
    }
    return (words + ["-n \(processes)"]).joined(separator: " ")
  }

  /// What there is, by name, for `mosc doctor --mpi`.
  package var facts: [(name: String, value: String)] {
    var facts: [(String, String)] = [
      ("MPI library", library.map { "\($0.version) (\($0.name))" } ?? "none"),
      ("launchers", starters.isEmpty ? "none" : starters.map { "\($0.kind.rawValue): \($0.path)" }.joined(separator: ", ")),
    ]
    if let launcher {
      let count = launcher.size.map { " as one of \($0)" } ?? ""
      facts.append(("started by", "\(launcher.kind.rawValue)\(count)"))
    }
    if let here = command(2), let there = command(2, hosts: [Cluster.host, "OTHER"]) {
      facts.append(("on this machine", "\(here) mosc train …"))
      facts.append(("with another", "\(there) mosc train …"))
    }
    return facts
  }

  /// What is missing, with its cure.
  package var fault: String? {
    guard library != nil else {
      return "no MPI library can be loaded: \(problems.joined(separator: "; ")); run: apt-get install openmpi-bin"
    }
    guard starter != nil else {
      return "the library has no launcher beside it; run: apt-get install \(kind == .mpich ? "mpich" : "openmpi-bin")"
    }
    return nil
  }
}
