import Foundation
import MoscRuntime
import Synchronization
import Testing

/// The pool runs each task once, ends, and launches see their arguments.
@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8])
  func everyTaskOnce(_ threads: Int) {
    let pool = ThreadPool(threads: threads)
    final class Counts: Sendable { let values = Mutex([Int](repeating: 0, count: 1000)) }
    let counts = Counts()
    for _ in 0..<20 {
      pool.forEach(1000) { task in counts.values.withLock { $0[task] += 1 } }
    }
    #expect(counts.values.withLock { $0.allSatisfy { $0 == 20 } })
  }

  /// Tasks that wait for one another, and the threads that ran them.
  private final class Meeting: Sendable {
    private let size: Int
    private let state = Mutex((arrived: 0, threads: Set<String>()))

    init(_ size: Int) { self.size = size }

    /// The folders of the threads that came, in `/proc`.
    var threads: Set<String> { state.withLock { $0.threads } }

    /// Waits until as many threads are here as are to meet, though not forever.
    func attend() throws {
      let folder = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
      state.withLock {
        $0.arrived += 1
        $0.threads.insert("/proc/\(folder)")
      }
      _ = ThreadPoolTests.eventually { state.withLock { $0.arrived } >= size }
    }

    /// Whether a thread sleeps, which one that spins does not.
    static func isAsleep(_ folder: String) -> Bool {
      let text = try? String(contentsOfFile: "\(folder)/stat", encoding: .utf8)
      return text?.split(separator: ")").last?.hasPrefix(" S") == true
    }
  }

  /// Asks again and again until something holds; false after half a minute without.
  fileprivate static func eventually(_ holds: () -> Bool) -> Bool {
    for _ in 0..<30_000 {
      if holds() { return true }
      usleep(1000)
    }
    return false
  }

  /// The workers of a pool, which all take part in a region.
  private func workers(of pool: ThreadPool) throws -> Set<String> {
    let meeting = Meeting(pool.threadCount)
    pool.forEach(pool.threadCount) { _ in try? meeting.attend() }
    let caller = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
    #expect(meeting.threads.count == pool.threadCount, "a worker did not come")
    return meeting.threads.subtracting(["/proc/\(caller)"])
  }

  /// Workers without work sleep, and come when there is some.
  @Test func wakesAfterParking() throws {
    let pool = ThreadPool(threads: 3)
    for _ in 0..<5 {
      let workers = try workers(of: pool)
      #expect(workers.count == 2)
      #expect(Self.eventually { workers.allSatisfy(Meeting.isAsleep) }, "a worker never sleeps")
    }
  }

  /// A pool that goes away takes its threads along, parked or not.
  @Test func poolsEndTheirThreads() throws {
    for round in 0..<10 {
      var threads: Set<String> = []
      do {
        let pool = ThreadPool(threads: 3)
        threads = try workers(of: pool)
        if round % 2 == 0 { _ = Self.eventually { threads.allSatisfy(Meeting.isAsleep) } }
      }
      #expect(
        Self.eventually { !threads.contains { FileManager.default.fileExists(atPath: $0) } },
        "a thread lives on")
    }
  }

  /// A region inside a task must not wait for the region it is part of.
  @Test func nestedRegionsRunInPlace() {
    let pool = ThreadPool(threads: 3)
    final class Sum: Sendable { let value = Atomic<Int>(0) }
    let sum = Sum()
    pool.forEach(20) { _ in
      pool.forEach(10) { sum.value.add($0, ordering: .relaxed) }
    }
    #expect(sum.value.load(ordering: .relaxed) == 20 * 45)
  }

  /// Many short regions from two callers, more threads than processors: none is lost or doubled.
  @Test func concurrentCallers() {
    let pool = ThreadPool(threads: 5)
    final class Sum: Sendable { let value = Atomic<Int>(0) }
    let sum = Sum()
    let outer = ThreadPool(threads: 2)
    outer.forEach(2) { _ in
      for _ in 0..<2000 { pool.forEach(7) { sum.value.add($0 + 1, ordering: .relaxed) } }
    }
    #expect(sum.value.load(ordering: .relaxed) == 2 * 2000 * 28)
  }

  @Test func countsWhatThreadsDo() {
    let pool = ThreadPool(threads: 2)
    #expect(pool.use.map(\.tasks) == [0, 0])
    for tasks in [1, 5, 1000] { pool.forEach(tasks) { _ in } }
    #expect(pool.use.map(\.tasks).reduce(0, +) == 1006)
    #expect(pool.use[0].seconds > 0)
  }

  @Test func argumentsOutsideMemoryAreRefused() throws {
    let kernel = Kernel(name: "k", function: { _, _, _ in }, taskCount: 1)
    func bind(_ argument: ArgumentReference) throws {
      let launch = LaunchRecord(kernel: kernel, arguments: [argument])
      let executable = Executable(
        name: "f", launches: [launch], arenaBytes: 64, externalCount: 0)
      let arena = try AlignedBuffer(byteCount: 128)
      _ = try executable.bind(externals: [], arena: arena.address)
      #expect(throws: RuntimeError.self) {
        _ = try executable.bind(externals: [], arena: arena.address + 4)
      }
    }
    try bind(.arena(63))
    #expect(throws: RuntimeError.self) { try bind(.arena(64)) }
    #expect(throws: RuntimeError.self) { try bind(.external(0)) }
  }

  @Test func launchesBindArguments() throws {
    let kernel = Kernel(
      name: "copy",
      function: { arguments, from, to in
        guard let source = arguments[0]?.assumingMemoryBound(to: Float.self),
          let target = arguments[1]?.assumingMemoryBound(to: Float.self)
        else { return }
        for i in from..<to { target[i] = source[i] + 1 }
      }, taskCount: 16)
    let executable = Executable(
      name: "f",
      launches: [
        LaunchRecord(kernel: kernel, arguments: [.external(0), .arena(64)]),
        LaunchRecord(kernel: kernel, arguments: [.arena(64), .external(1)]),
      ], arenaBytes: 128, externalCount: 2)
    let pool = ThreadPool(threads: 2)
    let arena = try AlignedBuffer(byteCount: 128)
    var input = (0..<16).map(Float.init)
    var output = [Float](repeating: 0, count: 16)
    var observed: [Int] = []
    defer { withExtendedLifetime(arena) {} }
    try input.withUnsafeMutableBytes { source in
      try output.withUnsafeMutableBytes { target in
        let externals = [try #require(source.baseAddress), try #require(target.baseAddress)]
        try executable.run(externals: externals, arena: arena.address, pool: pool) { index, _ in
          observed.append(index)
        }
        #expect(throws: RuntimeError.self) {
          try executable.run(externals: [], arena: arena.address, pool: pool)
        }
        #expect(throws: RuntimeError.self) {
          try executable.run(externals: externals, arena: nil, pool: pool)
        }
        #expect(throws: CancellationError.self) {
          try executable.run(
            externals: externals, arena: arena.address, pool: pool, isCancelled: { true })
        }
      }
    }
    #expect(output == (0..<16).map { Float($0) + 2 })
    #expect(observed == [0, 1])
  }

  @Test func largeBuffersAreZeroAndAligned() throws {
    for size in [1, 100, 5 << 20] {
      let buffer = try AlignedBuffer(byteCount: size)
      #expect(Int(bitPattern: buffer.address) % 64 == 0)
      let bytes = UnsafeRawBufferPointer(start: buffer.address, count: size)
      withExtendedLifetime(buffer) { #expect(bytes.first == 0 && bytes.last == 0) }
    }
  }

  @Test func impossibleBuffersAreErrors() {
    #expect(throws: RuntimeError.self) { _ = try AlignedBuffer(byteCount: 1 << 60) }
    #expect(throws: RuntimeError.self) { _ = try AlignedBuffer(byteCount: -1) }
  }

  @Test func processFacts() {
    #expect(ProcessFacts.processorCount >= 1)
    #expect(1...ProcessFacts.processorCount ~= ProcessFacts.physicalCoreCount)
    #expect(ProcessFacts.peakResidentBytes >= ProcessFacts.anonymousBytes)
    #expect(ProcessFacts.residentBytes > 1 << 20)
  }
}
