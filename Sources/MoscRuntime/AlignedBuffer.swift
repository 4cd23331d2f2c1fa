import Foundation

/// Zeroed memory aligned to at least 64 bytes, given back when the owner goes.
///
/// Large buffers come straight from the system with huge pages requested, so that untouched parts
/// cost nothing.
package final class AlignedBuffer: @unchecked Sendable {
  package let address: UnsafeMutableRawPointer
  package let byteCount: Int
  private let isMapped: Bool
  /// The owner of the memory, when this is a part of another buffer.
  private let whole: AlignedBuffer?

  private static let mapThreshold = 1 << 20

  /// Allocates zeroed bytes.
  ///
  /// - Throws: `RuntimeError` when the system refuses.
  package init(byteCount: Int) throws(RuntimeError) {
    guard byteCount >= 0 else { throw RuntimeError("cannot allocate \(byteCount) bytes") }
    self.byteCount = byteCount
    whole = nil
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

  /// A part of another buffer, which stays allocated as long as this one.
  ///
  /// - Throws: `RuntimeError` when the part is not inside, or not aligned to 64 bytes.
  package init(
    partOf whole: AlignedBuffer, offset: Int, byteCount: Int
  ) throws(RuntimeError) {
    guard offset >= 0, offset % 64 == 0, byteCount >= 0, offset + byteCount <= whole.byteCount
    else {
      throw RuntimeError(
        "no part of \(byteCount) bytes at \(offset) in a buffer of \(whole.byteCount)")
    }
    self.whole = whole
    self.byteCount = byteCount
    address = whole.address + offset
    isMapped = false
  }

  /// The numbers of a buffer of f32.
  package var floats: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: address.assumingMemoryBound(to: Float.self), count: byteCount / 4)
  }

  deinit {
    if whole != nil { return }
    if isMapped {
      munmap(address, max(byteCount, 64))
    } else {
      address.deallocate()
    }
  }
}
