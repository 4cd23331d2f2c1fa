import Foundation
import MoscCodegen
import MoscIR
import MoscLLVM
import Testing

/// The object cache on disk, and the compiler's use of it.
@Suite struct ObjectCacheTests {
  /// A folder that goes when the closure ends.
  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("mosc-cache-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private static let graph: Result<Graph, any Error> = Result {
    try kernel { g in
      let x = g.parameter("x", .f32(3, 20))
      return [try g.silu(x)]
    }
  }

  private func compile(
    _ cache: ObjectCache, cpu: String = "native"
  ) throws -> (statistics: CompilerStatistics, warnings: [String]) {
    let options = CompilerOptions(facts: try TargetFacts(cpu: cpu), cache: cache)
    let compiler = try KernelCompiler(options)
    let graph = try Self.graph.get()
    let compiled = try #require(try compiler.compile([graph])["k"])
    let inputs = KernelHarness.inputs(graph, seed: 5)
    let found = KernelHarness.run(
      graph, compiled.function, tasks: compiled.taskCount, inputs, lanes: options.facts.lanes)
    let expected = try Evaluator(Module(graphs: [graph])).run(graph, inputs)
    for (x, y) in zip(expected[0].elements, found[0].elements) { #expect(abs(x - y) < 1e-6) }
    #expect(compiled.isCached == (compiler.statistics.cacheHits == 1))
    return (compiler.statistics, compiled.warnings)
  }

  @Test func secondCompilationHits() throws {
    try withFolder { folder in
      let cache = ObjectCache(directory: folder)
      let first = try compile(cache).statistics
      #expect((first.cacheHits, first.cacheMisses) == (0, 1))
      #expect(cache.usage().entries == 1)
      let (second, warnings) = try compile(cache)
      #expect((second.cacheHits, second.cacheMisses) == (1, 0))
      #expect(second.objectBytes == first.objectBytes)
      #expect(warnings.isEmpty)
      #expect(second.explanation.hasPrefix("1 kernels, 1 from the object cache, 0 compiled"))
      // Another processor is another entry.
      let other = try compile(cache, cpu: "x86-64-v2").statistics
      #expect(other.cacheMisses == 1)
      #expect(cache.usage().entries == 2)
    }
  }

  @Test func damagedEntriesAreCompiledAgain() throws {
    try withFolder { folder in
      let cache = ObjectCache(directory: folder)
      _ = try compile(cache)
      let file = try #require(
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
          .first)
      var data = try Data(contentsOf: file)
      let whole = data
      data[data.count / 2] ^= 0x10
      for broken in [data, whole.prefix(40), whole.prefix(7), Data()] {
        try Data(broken).write(to: file)
        let (statistics, warnings) = try compile(cache)
        #expect(statistics.cacheMisses == 1)
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains(file.lastPathComponent) == true)
        #expect(try Data(contentsOf: file) == whole)
      }
    }
  }

  /// A sound entry under the name of another one is machine code of something else.
  @Test func exchangedEntriesAreCompiledAgain() throws {
    try withFolder { folder in
      let cache = ObjectCache(directory: folder)
      #expect(cache.store([1, 2, 3], "a") == nil)
      #expect(cache.store([4, 5, 6], "b") == nil)
      func file(_ key: String) -> URL { folder.appending(path: "\(key).mosc-object") }
      try Data(contentsOf: file("a")).write(to: file("b"))
      guard case .hit(let bytes) = cache.object("a") else { return #expect(Bool(false)) }
      #expect(bytes == [1, 2, 3])
      guard case .damaged = cache.object("b") else { return #expect(Bool(false)) }
    }
  }

  @Test func foldersOfOthersAreNotTrusted() throws {
    try withFolder { folder in
      #expect(PrivateFolder(folder).fault == nil)
      try PrivateFolder(folder).make()
      #expect(PrivateFolder(folder).fault == nil)
      let mode = try FileManager.default.attributesOfItem(atPath: folder.path)[.posixPermissions]
      #expect(mode as? Int == 0o700)
      for mode in [0o770, 0o702] {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path)
        #expect(PrivateFolder(folder).fault?.contains(String(mode, radix: 8)) == true)
      }
      if geteuid() != 0 { #expect(PrivateFolder(URL(filePath: "/")).fault != nil) }
    }
  }

  @Test func unwritableFolderIsAWarning() throws {
    try withFolder { folder in
      try Data("a file".utf8).write(to: folder)
      let (statistics, warnings) = try compile(ObjectCache(directory: folder))
      #expect(statistics.cacheMisses == 1)
      #expect(warnings.first?.contains("cannot be written") == true)
    }
  }

  @Test func oldestEntriesGoFirst() throws {
    try withFolder { folder in
      let cache = ObjectCache(directory: folder, maximumBytes: 3 * (100 + 32))
      for (age, key) in ["a", "b", "c", "d", "e"].enumerated() {
        #expect(cache.store([UInt8](repeating: UInt8(age), count: 100), key) == nil)
        let file = folder.appendingPathComponent(key).appendingPathExtension("mosc-object")
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSince1970: 1_000_000 + Double(age))],
          ofItemAtPath: file.path)
      }
      #expect(cache.trim() == 2)
      #expect(cache.usage() == (3, 396))
      for (key, isKept) in [("a", false), ("b", false), ("c", true), ("e", true)] {
        if case .hit = cache.object(key) { #expect(isKept, "\(key)") } else { #expect(!isKept) }
      }
    }
  }

  @Test func keysTellPartsApart() {
    let keys = [["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""]].map(ContentKey.of)
    #expect(Set(keys).count == keys.count)
    #expect(keys.allSatisfy { $0.count == 64 })
    #expect(
      ContentKey.of([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func artifactsOfEveryForm() throws {
    let compiler = try KernelCompiler(CompilerOptions(facts: try TargetFacts(cpu: "native")))
    let graph = try Self.graph.get()
    let text = { (form: KernelArtifact) in
      String(decoding: try compiler.artifact(form, of: graph).code, as: UTF8.self)
    }
    #expect(try text(.llvm).contains("define void @kernel("))
    #expect(try text(.optimised).contains("define void @kernel("))
    #expect(try text(.optimised) != text(.llvm))
    #expect(try text(.assembly).contains(".globl\tkernel"))
    #expect(try compiler.artifact(.object, of: graph).code.prefix(4) == [0x7f, 0x45, 0x4c, 0x46])
  }

  @Test func sameObjectsFromAnyNumberOfThreads() throws {
    let graphs = try (1...6).map { i in
      var graph = try kernel { g in
        let x = g.parameter("x", .f32(i, 20))
        return [try g.exp(x)]
      }
      graph.name = "k\(i)"
      return graph
    }
    let facts = try TargetFacts(cpu: "native")
    let one = try KernelCompiler(CompilerOptions(facts: facts, threads: 1)).compile(graphs)
    let compiler = try KernelCompiler(CompilerOptions(facts: facts, threads: 3))
    let many = try compiler.compile(graphs)
    #expect(Set(one.keys) == Set(graphs.map(\.name)))
    #expect(one.mapValues(\.objectBytes) == many.mapValues(\.objectBytes))
    #expect(one.mapValues(\.taskCount) == many.mapValues(\.taskCount))
    #expect(compiler.statistics.kernels == 6)
    // Ctrl-C is heard between kernels: those that are left are left out.
    let stopped = try KernelCompiler(CompilerOptions(facts: facts, threads: 1))
    let some = try stopped.compile(graphs, isCancelled: { stopped.statistics.kernels == 2 })
    #expect(some.count == 2 && stopped.statistics.kernels == 2)
  }
}
