import COpenBLAS
import Foundation
import MoscCluster
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscFuse
import MoscInspect
import MoscLLVM
import MoscModel
import MoscNetworks
import MoscReport
import MoscRuntime

/// What mosc runs on, and what is missing.
package struct Doctor: Sendable {
  package let cache: CacheFolder
  /// What there is of MPI; nil where nobody asked.
  private let mpi: MPIFindings?

  package init(cacheFolder: String? = nil, findsMPI: Bool = false) {
    cache = CacheFolder(cacheFolder)
    mpi = findsMPI ? MPIFindings() : nil
  }

  /// What there is, by name.
  package var facts: [JSONValue.Member] {
    var facts: [(String, JSONValue)] = [
      ("mosc", .string(Version.number)), ("program", .string(Self.program)),
      ("LLVM", .string(LLVMVersion.current)),
    ]
    do {
      let target = try TargetFacts(cpu: "native")
      let yes = [("bf16 dot products", target.hasBF16Dot), ("fused multiply-add", target.hasFMA)]
        .filter(\.1).map(\.0)
      facts.append(
        (
          "processor",
          .string(
            "\(target.cpu): vectors of \(target.lanes) floats, \(target.vectorRegisters) registers"
              + (yes.isEmpty ? "" : ", " + yes.joined(separator: ", ")))
        ))
      facts.append(
        (
          "threads",
          .string("\(ProcessFacts.physicalCoreCount) (of \(ProcessFacts.processorCount) processors)")
        ))
      facts.append(
        ("arithmetic", .string("\(Precision.usual(on: target).rawValue) unless --type says otherwise")))
    } catch {
      facts.append(("processor", .string("\(error)")))
    }
    let memory = Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824
    facts += [
      ("memory", .string(String(format: "%.1f GiB", memory))), ("OpenBLAS", .string(Self.openBLAS)),
      ("model", .string((try? DiffusersModel.embedded().url.path) ?? "not there")),
      ("cache", .string("\(cache.url.path) (\(cacheSummary))")),
    ]
    for fact in mpi?.facts ?? [] { facts.append((fact.name, .string(fact.value))) }
    return facts.map { JSONValue.Member($0.0, $0.1) }
  }

  /// Everything as lines of `name value`; problems come last, each with its cure.
  package var report: String {
    var lines = facts.map { fact in
      fact.key.padding(toLength: mpi == nil ? 12 : 16, withPad: " ", startingAt: 0) + (fact.value.string ?? "\(fact.value)")
    }
    let found = problems
    lines += found.isEmpty ? ["everything is in place"] : found.map { "problem: \($0)" }
    return lines.joined(separator: "\n")
  }

  /// The same as one object.
  package var json: JSONValue {
    let problems = problems
    return .object(
      facts + [
        .init("problems", .array(problems.map { .string($0) })), .init("ok", .bool(problems.isEmpty)),
      ])
  }

  private static var program: String {
    URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
  }

  /// The library of fusion; asking one that cannot be loaded would end the program.
  private static var openBLAS: String {
    (try? LinearAlgebra.load()) == nil
      ? "cannot be loaded" : String(cString: openblas_get_config())
  }

  /// What is wrong, each with the command that cures it.
  package var problems: [String] {
    var found: [String] = []
    if !LLVMVersion.current.hasPrefix("19.") {
      found.append(
        "LLVM \(LLVMVersion.current) is loaded, expected 19; run: apt-get install llvm-19-dev")
    }
    func check(_ body: () throws -> Void, _ cure: String = "") {
      do { try body() } catch { found.append("\(error)\(cure)") }
    }
    check({ _ = try TargetFacts(cpu: "native") })
    check({ try LinearAlgebra.load() }, "; run: apt-get install libopenblas0 liblapacke")
    // Everything that drawing without -m reads.
    check({
      let model = try DiffusersModel.embedded()
      try ModelComponents.verify(model)
      _ = try (model.tokenizer(), SchedulerConfig(of: model), model.learntWords())
      // What models in one file read.
      _ = try CLIPTokenizer(folder: try BundledFiles.folder("clip"))
    }, "; run: tools/install")
    check({ _ = try cache.limit() })
    if let fault = mpi?.fault { found.append(fault) }
    if let fault = cache.fault { found.append("the cache is not used: \(fault)") }
    let existing = sequence(first: cache.url) { $0.path == "/" ? nil : $0.deletingLastPathComponent() }
      .first { FileManager.default.fileExists(atPath: $0.path) }
    if let existing, !FileManager.default.isWritableFile(atPath: existing.path) {
      found.append(
        "the cache '\(cache.url.path)' cannot be written; choose another with --cache-dir, "
          + "or do without with --no-cache")
    }
    return found
  }

  private var cacheSummary: String {
    let parts = cache.parts
    let (count, bytes) = parts.reduce((0, 0)) { ($0.0 + $1.entries, $0.1 + $1.bytes) }
    let limit = (try? cache.limit()).map { " of at most \(Finding.size($0.bytes))" } ?? ""
    return "\(count) files, \(Finding.size(bytes))\(limit)"
  }
}

extension Doctor {
  /// Where a process of several runs, and on what.
  package static func place(threads: Int) -> String {
    let processor = (try? TargetFacts(cpu: "native").cpu) ?? "an unknown processor"
    return "\(Cluster.host), \(threads) of \(ProcessFacts.processorCount) processors, \(processor), process \(getpid())"
  }
}
