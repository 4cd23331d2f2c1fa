/// The launches of a function with every argument resolved to an address.
///
/// Binding happens once; a run only calls kernels. The table does not own the memory.
package struct LaunchTable {
  private var kernels: [Kernel] = []
  /// Where each launch's arguments start in `pointers`.
  private var starts: [Int] = []
  private var pointers: [UnsafeMutableRawPointer?] = []

  init(launchCount: Int) {
    kernels.reserveCapacity(launchCount)
    starts.reserveCapacity(launchCount)
  }

  mutating func append(_ kernel: Kernel, _ arguments: [UnsafeMutableRawPointer?]) {
    kernels.append(kernel)
    starts.append(pointers.count)
    // Kernels without arguments still get a valid address.
    pointers.append(contentsOf: arguments.isEmpty ? [nil] : arguments)
  }

  /// The number of launches.
  package var count: Int { kernels.count }

  /// The address of an argument of a launch.
  package func address(launch: Int, argument: Int) -> UnsafeMutableRawPointer? {
    pointers[starts[launch] + argument]
  }

  /// Runs all launches in order.
  ///
  /// - Parameters:
  ///   - skipped: launches that are left out.
  ///   - observe: called after each launch with its index and its seconds.
  ///   - isCancelled: asked before each launch.
  ///   - prepare: called before each launch with its index.
  /// - Throws: `CancellationError` when `isCancelled` says so.
  package func run(
    on pool: ThreadPool, skipping skipped: Set<Int> = [],
    observe: ((_ launch: Int, _ seconds: Double) -> Void)? = nil,
    isCancelled: (() -> Bool)? = nil, preparing prepare: ((_ launch: Int) -> Void)? = nil
  ) throws(CancellationError) {
    try pointers.withUnsafeBufferPointer { buffer throws(CancellationError) in
      guard let base = buffer.baseAddress else { return }
      for (index, kernel) in kernels.enumerated() where !skipped.contains(index) {
        if let isCancelled, isCancelled() { throw CancellationError() }
        prepare?(index)
        let start = observe == nil ? 0 : Clock.now()
        var region = Region(function: kernel.function, arguments: base + starts[index])
        withUnsafeMutablePointer(to: &region) { pointer in
          pool.run(tasks: kernel.taskCount, context: UnsafeMutableRawPointer(pointer)) {
            context, from, to in
            guard let region = context?.assumingMemoryBound(to: Region.self) else { return }
            region.pointee.function(region.pointee.arguments, from, to)
          }
        }
        observe?(index, Clock.now() - start)
      }
    }
  }

  private struct Region {
    var function: Kernel.Function
    var arguments: UnsafePointer<UnsafeMutableRawPointer?>
  }
}
