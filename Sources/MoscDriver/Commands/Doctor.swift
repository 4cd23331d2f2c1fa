import COpenBLAS
import Foundation
import MoscEngine
import MoscFuse
import MoscLLVM
import MoscModel
import MoscNetworks
import MoscRuntime

/// What mosc runs on, and what is missing.
package struct Doctor: Sendable {
  package let cacheFolder: String

  package init(cacheFolder: String? = nil) {
    self.cacheFolder = cacheFolder ?? Host.defaultCacheFolder
  }

  /// Everything as lines of `name: value`; problems come last, each with its cure.
  package var report: String {
    var lines = ["mosc        \(Version.number)", "LLVM        \(LLVMVersion.current)"]
    do {
      let facts = try TargetFacts(cpu: "native")
      let yes = [("bf16 dot products", facts.hasBF16Dot), ("fused multiply-add", facts.hasFMA)]
        .filter(\.1).map(\.0)
      lines += [
        "processor   \(facts.cpu): vectors of \(facts.lanes) floats, "
          + "\(facts.vectorRegisters) registers"
          + (yes.isEmpty ? "" : ", " + yes.joined(separator: ", ")),
        "threads     \(ProcessFacts.physicalCoreCount) (of \(ProcessFacts.processorCount) "
          + "processors)",
        "arithmetic  \(Precision.usual(on: facts).rawValue) unless --type says otherwise",
      ]
    } catch {
      lines.append("processor   \(error)")
    }
    let memory = Double(ProcessInfo.processInfo.physicalMemory) / 1_073_741_824
    lines += [
      "memory      " + String(format: "%.1f GiB", memory),
      "OpenBLAS    " + openBLAS,
      "cache       \(cacheFolder) (\(cacheSummary))",
    ]
    let found = problems
    lines += found.isEmpty ? ["everything is in place"] : found.map { "problem: \($0)" }
    return lines.joined(separator: "\n")
  }

  /// The library of fusion; asking one that cannot be loaded would end the program.
  private var openBLAS: String {
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
    do {
      try LinearAlgebra.load()
    } catch {
      found.append("\(error); run: apt-get install libopenblas0 liblapacke")
    }
    do {
      try ModelComponents.verify(.embedded())
    } catch {
      found.append("\(error)")
    }
    let folder = URL(fileURLWithPath: cacheFolder)
    let existing = sequence(first: folder) { $0.path == "/" ? nil : $0.deletingLastPathComponent() }
      .first { FileManager.default.fileExists(atPath: $0.path) }
    if let existing, !FileManager.default.isWritableFile(atPath: existing.path) {
      found.append(
        "the kernel cache '\(cacheFolder)' cannot be written; choose another with --cache-dir, "
          + "or do without with --no-cache")
    }
    return found
  }

  private var cacheSummary: String {
    let files = FileManager.default.enumerator(
      at: URL(fileURLWithPath: cacheFolder), includingPropertiesForKeys: [.fileSizeKey])
    var (count, bytes) = (0, 0)
    for case let file as URL in files ?? .init() {
      let values = try? file.resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey])
      guard values?.isRegularFile == true else { continue }
      count += 1
      bytes += values?.fileSize ?? 0
    }
    return "\(count) files, " + String(format: "%.1f MB", Double(bytes) / 1e6)
  }
}
