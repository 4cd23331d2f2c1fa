import Foundation

/// Zeroed memory aligned to at least 64 bytes, given back when the owner goes.
///
/// Large buffers come straight from the system with huge pages requested, so that untouched parts
/// cost nothing.
package final class AlignedBuffer: @unchecked Sendable {
  package let address: UnsafeMutableRawPointer
  package let byteCount: Int
  private let isMapped: Bool

  private static let mapThreshold = 1 << 20

  /// Allocates zeroed bytes.
  ///
  /// - Throws: `RuntimeError` when the system refuses.
  package init(byteCount: Int) throws(RuntimeError) {
    guard byteCount >= 0 else { throw RuntimeError("cannot allocate \(byteCount) bytes") }
    self.byteCount = byteCount
    let size = max(byteCount, 64)
    if size >= Self.mapThreshold {
      guard
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        memory != MAP_FAILED
      else {
        let reason = String(cString: strerror(errno))
        throw RuntimeError("cannot allocate \(byteCount) bytes: \(reason)")
      }
      madvise(memory, size, Int32(MADV_HUGEPAGE))
      address = memory
      isMapped = true
    } else {
      address = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      address.initializeMemory(as: UInt8.self, repeating: 0, count: size)
      isMapped = false
    }
  }

  deinit {
    if isMapped {
      munmap(address, max(byteCount, 64))
    } else {
      address.deallocate()
    }
  }
}
