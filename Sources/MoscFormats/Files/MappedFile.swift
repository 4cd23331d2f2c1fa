import CMapping
import Foundation

/// A file mapped read-only into memory for as long as the object lives.
///
/// Touching what a file no longer has, because it was cut short meanwhile, ends the process with an error
/// that names it.
package final class MappedFile: @unchecked Sendable {
  package let url: URL
  package let bytes: UnsafeRawBufferPointer
  /// Path, device, number, size and time of change: a file written anew has another one.
  package let identity: String
  /// When anything about the file last changed, in nanoseconds.
  private let changeTime: Int

  package init(_ url: URL) throws(FormatError) {
    self.url = url
    // Without O_NONBLOCK a pipe without a writer would be waited for.
    let descriptor = open(url.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let reason = errno == ENOENT
        ? "there is no such file" : "cannot be opened: \(SystemMessage.text())"
      throw FormatError(url.path, nil, reason)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw FormatError(url.path, nil, "expected a regular file")
    }
    let size = Int(status.st_size)
    guard size > 0 else { throw FormatError(url.path, nil, "the file is empty") }
    guard let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    else {
      throw FormatError(url.path, nil, "cannot be mapped: \(SystemMessage.text())")
    }
    let time = status.st_mtim
    changeTime = Self.changeTime(status)
    identity = "\(url.standardizedFileURL.path) \(status.st_dev) \(status.st_ino) \(size) "
      + "\(time.tv_sec).\(time.tv_nsec)"
    bytes = UnsafeRawBufferPointer(start: address, count: size)
    mapping_register(address, size, url.path)
  }

  private static func changeTime(_ status: stat) -> Int {
    status.st_ctim.tv_sec &* 1_000_000_000 &+ status.st_ctim.tv_nsec
  }

  /// Whether nobody wrote to the file since it was opened; what was read otherwise may be neither the
  /// old nor the new content, even if size and time of the file are the old ones again.
  package var isUnchanged: Bool {
    var status = stat()
    return stat(url.path, &status) == 0 && Self.changeTime(status) == changeTime
  }

  deinit {
    mapping_forget(bytes.baseAddress)
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
  }

  /// Lets the system take back the memory of the whole pages inside a byte range; they are read
  /// from the file again when touched.
  package func dropPages(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard end > start, let base = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }
}
