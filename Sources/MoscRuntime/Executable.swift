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

  /// Resolves every argument to an address; the memory must outlive the table.
  ///
  /// - Parameters:
  ///   - externals: one pointer per external buffer.
  ///   - arena: at least `arenaBytes` of 64-byte aligned memory.
  /// - Throws: `RuntimeError` for memory that is missing or not aligned, and for an argument
  ///   outside of it.
  package func bind(
    externals: [UnsafeMutableRawPointer], arena: UnsafeMutableRawPointer?
  ) throws(RuntimeError) -> LaunchTable {
    guard externals.count == externalCount else {
      throw RuntimeError(
        "'\(name)' takes \(externalCount) external buffers, found \(externals.count)")
    }
    guard arena != nil || arenaBytes == 0 else {
      throw RuntimeError("'\(name)' needs an arena of \(arenaBytes) bytes")
    }
    guard Int(bitPattern: arena) % 64 == 0 else {
      throw RuntimeError("the arena of '\(name)' is not aligned to 64 bytes")
    }
    var table = LaunchTable(launchCount: launches.count)
    for launch in launches {
      var pointers: [UnsafeMutableRawPointer?] = []
      for argument in launch.arguments {
        switch argument {
        case .external(let index, let offset) where externals.indices.contains(index):
          pointers.append(externals[index] + offset)
        case .arena(let offset) where 0..<max(arenaBytes, 1) ~= offset:
          pointers.append(arena.map { $0 + offset })
        case .external, .arena:
          throw RuntimeError(
            "'\(name)': '@\(launch.kernel.name)' takes \(argument), but there are "
              + "\(externalCount) external buffers and \(arenaBytes) bytes of arena")
        }
      }
      table.append(launch.kernel, pointers)
    }
    return table
  }

  /// Binds and runs all launches with the given memory.
  ///
  /// - Parameters:
  ///   - observe: called after each launch with its index and its seconds, for profiles and
  ///     progress; nil costs nothing.
  ///   - isCancelled: asked before each launch.
  package func run(
    externals: [UnsafeMutableRawPointer], arena: UnsafeMutableRawPointer?, pool: ThreadPool,
    observe: ((_ launch: Int, _ seconds: Double) -> Void)? = nil,
    isCancelled: (() -> Bool)? = nil
  ) throws {
    try bind(externals: externals, arena: arena)
      .run(on: pool, observe: observe, isCancelled: isCancelled)
  }
}
