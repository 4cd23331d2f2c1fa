import CLLVM
import Glibc
import Synchronization

/// The names of JIT-compiled functions for `perf`: the file `/tmp/perf-PID.map`.
///
/// A line is the start and the size in hexadecimal digits and the name (Linux,
/// tools/perf/Documentation/jit-interface.txt).
final class PerfMap: Sendable {
  /// Where perf looks for the map of this process.
  static let path = "/tmp/perf-\(getpid()).map"
  private let file = Mutex<Void>(())

  /// Adds the functions of an object, of which `symbol` was linked at `address`.
  ///
  /// All functions of a kernel lie in one section, so one address gives all.
  func add(_ object: UnsafeRawBufferPointer, symbol: String, at address: UInt) {
    let functions = Self.functions(of: object)
    guard let known = functions.first(where: { $0.name == symbol }) else { return }
    let text = functions.map { function in
      let start = address &+ function.offset &- known.offset
      return "\(String(start, radix: 16)) \(String(function.size, radix: 16)) \(function.name)\n"
    }.joined()
    file.withLock { _ in
      // The map is a convenience; what cannot be written is left out.
      guard let stream = fopen(Self.path, "a") else { return }
      fputs(text, stream)
      fclose(stream)
    }
  }

  /// Name, offset in the section and size in bytes of an object's functions.
  private static func functions(
    of object: UnsafeRawBufferPointer
  ) -> [(name: String, offset: UInt, size: UInt)] {
    let buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
      object.baseAddress?.assumingMemoryBound(to: CChar.self), object.count, "object")
    defer { LLVMDisposeMemoryBuffer(buffer) }
    var message: UnsafeMutablePointer<CChar>?
    guard let binary = LLVMCreateBinary(buffer, nil, &message) else {
      LLVMDisposeMessage(message)
      return []
    }
    defer { LLVMDisposeBinary(binary) }
    guard let symbols = LLVMObjectFileCopySymbolIterator(binary) else { return [] }
    defer { LLVMDisposeSymbolIterator(symbols) }
    var functions: [(name: String, offset: UInt, size: UInt)] = []
    while LLVMObjectFileIsSymbolIteratorAtEnd(binary, symbols) == 0 {
      let size = UInt(LLVMGetSymbolSize(symbols))
      let name = LLVMGetSymbolName(symbols).map { String(cString: $0) } ?? ""
      if size > 0, !name.hasPrefix(".") {
        functions.append((name, UInt(LLVMGetSymbolAddress(symbols)), size))
      }
      LLVMMoveToNextSymbol(symbols)
    }
    return functions
  }
}
