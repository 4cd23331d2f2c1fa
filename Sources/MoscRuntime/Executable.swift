import Foundation

/// A compiled kernel: what to call and how many independent tasks it has.
package struct Kernel: @unchecked Sendable {
  /// The kernel's calling convention: argument pointers and a range of tasks.
  package typealias Function = @convention(c) (
    UnsafePointer<UnsafeMutableRawPointer?>, Int, Int
  ) -> Void

  package let name: String
  package let function: Function
  package let taskCount: Int

  package init(name: String, function: @escaping Function, taskCount: Int) {
    self.name = name
    self.function = function
    self.taskCount = taskCount
  }
}

/// Where a kernel argument lives.
package enum ArgumentReference: Hashable, Sendable {
  /// An external buffer of the function: a parameter, a result or a weight.
  case external(Int)
  /// A byte offset into the function's arena.
  case arena(Int)
}

/// One kernel call of a function.
package struct LaunchRecord: Sendable {
  package let kernel: Kernel
  package let arguments: [ArgumentReference]

  package init(kernel: Kernel, arguments: [ArgumentReference]) {
    self.kernel = kernel
    self.arguments = arguments
  }
}

/// The launches of one compiled function in order.
package struct Executable: Sendable {
  package let name: String
  package let launches: [LaunchRecord]
  package let arenaBytes: Int
  package let externalCount: Int

  package init(name: String, launches: [LaunchRecord], arenaBytes: Int, externalCount: Int) {
    self.name = name
    self.launches = launches
    self.arenaBytes = arenaBytes
    self.externalCount = externalCount
  }

  /// Runs all launches with the given memory.
  ///
  /// - Parameters:
  ///   - externals: one pointer per external buffer.
  ///   - arena: at least `arenaBytes` of 64-byte aligned memory.
  ///   - observe: called after each launch with its index and its seconds, for profiles and
  ///     progress; nil costs nothing.
  ///   - isCancelled: asked before each launch.
  package func run(
    externals: [UnsafeMutableRawPointer], arena: UnsafeMutableRawPointer?, pool: ThreadPool,
    observe: ((_ launch: Int, _ seconds: Double) -> Void)? = nil,
    isCancelled: (() -> Bool)? = nil
  ) throws {
    guard externals.count == externalCount else {
      throw RuntimeError(
        "'\(name)' takes \(externalCount) external buffers, found \(externals.count)")
    }
    guard arena != nil || arenaBytes == 0 else {
      throw RuntimeError("'\(name)' needs an arena of \(arenaBytes) bytes")
    }
    var pointers: [UnsafeMutableRawPointer?] = []
    for (index, launch) in launches.enumerated() {
      if let isCancelled, isCancelled() { throw CancellationError() }
      pointers.removeAll(keepingCapacity: true)
      for argument in launch.arguments {
        switch argument {
        case .external(let index): pointers.append(externals[index])
        case .arena(let offset): pointers.append(arena.map { $0 + offset })
        }
      }
      let start = observe == nil ? 0 : Clock.now()
      pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        Self.dispatch(launch.kernel, base, pool)
      }
      observe?(index, Clock.now() - start)
    }
  }

  private struct Region {
    var function: Kernel.Function
    var arguments: UnsafePointer<UnsafeMutableRawPointer?>
  }

  private static func dispatch(
    _ kernel: Kernel, _ arguments: UnsafePointer<UnsafeMutableRawPointer?>, _ pool: ThreadPool
  ) {
    var region = Region(function: kernel.function, arguments: arguments)
    withUnsafeMutablePointer(to: &region) { pointer in
      pool.run(tasks: kernel.taskCount, context: UnsafeMutableRawPointer(pointer)) {
        context, from, to in
        guard let region = context?.assumingMemoryBound(to: Region.self) else { return }
        region.pointee.function(region.pointee.arguments, from, to)
      }
    }
  }
}

/// Monotonic time.
package enum Clock {
  /// Seconds since some fixed moment.
  package static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }
}
