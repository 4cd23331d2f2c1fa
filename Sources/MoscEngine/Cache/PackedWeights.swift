import Foundation
import MoscCodegen
import MoscRuntime

/// Packed weights kept on disk between runs, one file per value, read instead of computed again.
///
/// A file is named by the key of its value: the machine code that packs it and the weights it packs,
/// with path, size and time of their file. It holds a header and, from byte 4096 on, the value. Files
/// appear by renaming when their bytes are on the disk; a file whose checksum over key and value does
/// not fit is ignored with a warning. When all exceed the cap, those that were not used for longest go.
package struct PackedWeights: Sendable {
  package let folder: URL
  /// The cap on the bytes of all files.
  package let maximumBytes: Int
  /// The bytes of the smallest value that is kept; others are computed sooner than a file is opened.
  package let minimumBytes: Int

  /// The ending of the names of files.
  package static let suffix = "mosc-pack"
  /// The suffix of versions whose checksums left out the key.
  package static let oldSuffix = "mosc-packed"
  private static let headerBytes = 4096
  private static let magic: UInt64 = 0x0131_6b63_6170_6d6f

  package init(folder: URL, maximumBytes: Int = 12 << 30, minimumBytes: Int = 1 << 18) {
    self.folder = folder
    self.maximumBytes = maximumBytes
    self.minimumBytes = minimumBytes
  }

  private func file(_ key: String) -> URL {
    folder.appendingPathComponent(key).appendingPathExtension(Self.suffix)
  }

  // MARK: Reading

  /// The result of a look-up.
  package enum Entry: Sendable {
    case hit(AlignedBuffer)
    case miss
    /// The file is there but cannot be used; the text says why.
    case damaged(String)
  }

  /// The value of a key, which has that many bytes.
  ///
  /// It is read into huge pages: mapped, its small ones would slow each step by 2 %.
  package func value(_ key: String, byteCount: Int) -> Entry {
    let path = file(key).path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return .miss }
    defer { close(descriptor) }
    var status = stat()
    let expected = Self.headerBytes + byteCount
    guard fstat(descriptor, &status) == 0, Int(status.st_size) == expected else {
      return .damaged("\(path) has \(status.st_size) bytes, expected \(expected); packed again")
    }
    var header = [UInt64](repeating: 0, count: 3)
    let isRead = header.withUnsafeMutableBytes { Self.read(descriptor, $0, at: 0) }
    guard isRead, let buffer = try? AlignedBuffer(byteCount: byteCount) else { return .miss }
    let value = UnsafeMutableRawBufferPointer(start: buffer.address, count: byteCount)
    var checksum = Checksum(key)
    for start in stride(from: 0, to: byteCount, by: Self.pieceBytes) {
      // A piece is summed while it is in the cache.
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: value[start..<min(start + Self.pieceBytes, byteCount)])
      guard Self.read(descriptor, piece, at: Self.headerBytes + start) else {
        return .damaged("\(path) cannot be read: \(String(cString: strerror(errno))); packed again")
      }
      checksum.add(UnsafeRawBufferPointer(piece))
    }
    guard header == checksum.header else {
      return .damaged("\(path) has a wrong checksum; packed again")
    }
    // The time of use decides what goes first.
    utimes(path, nil)
    return .hit(buffer)
  }

  /// What is wrong with the file of a key; nil when it holds what was written.
  package func fault(of key: String) -> String? {
    var status = stat()
    guard stat(file(key).path, &status) == 0 else { return "\(file(key).path) is not there" }
    guard Int(status.st_size) >= Self.headerBytes else {
      return "\(file(key).path) has \(status.st_size) bytes, too few"
    }
    if case .damaged(let reason) = value(key, byteCount: Int(status.st_size) - Self.headerBytes) { return reason }
    return nil
  }

  private static let pieceBytes = 1 << 19

  private static func read(
    _ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) -> Bool {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = pread(descriptor, base + done, bytes.count - done, off_t(offset + done))
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Sums of words and sums of those sums, in eight lanes (Fletcher).
  private struct Checksum {
    private var sum = SIMD8<UInt64>.zero
    private var sums = SIMD8<UInt64>.zero

    /// The sums over a key, in whole groups of 64 bytes.
    init(_ key: String) {
      var bytes = [UInt8](key.utf8)
      bytes += [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64)
      bytes.withUnsafeBytes { add($0) }
    }

    /// Adds bytes; all but the last are multiples of 64.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
      let whole = bytes.count / 64 * 64
      for offset in stride(from: 0, to: whole, by: 64) {
        sum &+= bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
        sums &+= sum
      }
      for (index, byte) in bytes[whole...].enumerated() {
        sum[index % 8] &+= UInt64(byte) &<< UInt64(index / 8 * 8)
        sums &+= sum
      }
    }

    /// The magic number and the checksum.
    var header: [UInt64] { [PackedWeights.magic, Self.fold(sum), Self.fold(sums)] }

    private static func fold(_ lanes: SIMD8<UInt64>) -> UInt64 {
      (0..<8).reduce(0) { ($0 &* 0x9e37_79b9_7f4a_7c15) &+ lanes[$1] }
    }
  }

  // MARK: Writing

  /// Writes values in the background; they stay alive until they are written.
  ///
  /// A program that ends sooner leaves out the rest. What cannot be written is left out, too: the
  /// files only save time.
  package func store(_ values: [(key: String, value: AlignedBuffer)]) {
    if values.isEmpty { return }
    let queue = UncheckedValues(values: values)
    DispatchQueue.global(qos: .utility).async {
      for (key, value) in queue.values where !write(key, value) { return }
      trim()
    }
  }

  /// What crosses to the writing thread, and is only read from then on.
  private struct UncheckedValues: @unchecked Sendable {
    let values: [(key: String, value: AlignedBuffer)]
  }

  /// Writes one value; returns whether it is on the disk.
  package func write(_ key: String, _ value: AlignedBuffer) -> Bool {
    let bytes = UnsafeRawBufferPointer(start: value.address, count: value.byteCount)
    guard
      (try? PrivateFolder(folder).make()) != nil,
      hasRoom(for: value.byteCount)
    else { return false }
    let part = folder.appendingPathComponent(PrivateFolder(folder).partName(key))
    let descriptor = open(part.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return false }
    var header = [UInt64](repeating: 0, count: Self.headerBytes / 8)
    var checksum = Checksum(key)
    checksum.add(bytes)
    header.replaceSubrange(0..<3, with: checksum.header)
    let isWritten =
      header.withUnsafeBytes { Self.write($0, to: descriptor) }
      && Self.write(bytes, to: descriptor) && fsync(descriptor) == 0
    close(descriptor)
    guard isWritten, rename(part.path, file(key).path) == 0 else {
      unlink(part.path)
      return false
    }
    return true
  }

  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      // Small pieces let the program end in between.
      let count = Glibc.write(descriptor, base + done, min(bytes.count - done, 16 << 20))
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Whether the disk has room for a value and leaves others a gibibyte.
  private func hasRoom(for bytes: Int) -> Bool {
    var status = statvfs()
    guard statvfs(folder.path, &status) == 0 else { return false }
    return Int(status.f_bavail) * Int(status.f_frsize) > bytes + 1 << 30
  }

  /// Removes what was not used for longest until the rest fits, and what ended programs left.
  @discardableResult
  package func trim() -> Int {
    let keys: Set<URLResourceKey> = [.contentModificationDateKey, .fileSizeKey]
    let files = ((try? FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: Array(keys))) ?? []).map { url in
        let facts = try? url.resourceValues(forKeys: keys)
        return (
          url: url, date: facts?.contentModificationDate ?? .distantPast,
          bytes: facts?.fileSize ?? 0
        )
      }
    for file in files where file.url.pathExtension == Self.oldSuffix { unlink(file.url.path) }
    PrivateFolder(folder).removeAbandoned()
    var entries = files.filter { $0.url.pathExtension == Self.suffix }
      .sorted { ($0.date, $0.url.path) < ($1.date, $1.url.path) }
    var total = entries.reduce(0) { $0 + $1.bytes }
    var removed = 0
    while total > maximumBytes, !entries.isEmpty {
      let oldest = entries.removeFirst()
      total -= oldest.bytes
      if unlink(oldest.url.path) == 0 { removed += 1 }
    }
    return removed
  }
}
