/// A reader of protocol 2 pickles that can build plain data and tensors and nothing else.
///
/// A pickle is a program for a stack machine that may call any Python function. This machine knows
/// four callables (`OrderedDict`, `_rebuild_tensor_v2`, `_rebuild_parameter`, the storage types as
/// names), builds values from them itself, and refuses every other opcode and name. It does not
/// recurse while reading; lists and dicts live in a heap of indices, so shared and self-containing
/// ones cost nothing until they are turned into a value, which checks depth and size.
/// Source: Lib/pickle.py of CPython; torch/_utils.py and torch/serialization.py.
package enum Pickle {
  /// Finds the storage of a key with a type and a number of elements.
  package typealias StorageSource =
    (_ key: String, _ dtype: ElementType, _ count: Int) throws(FormatError) -> TorchStorage

  /// The deepest nesting that is read.
  package static let maximumDepth = 100
  /// The most values that a pickle may expand to when shared ones are counted at every use.
  package static let maximumValues = 1 << 22
  /// The largest index of the memo.
  package static let maximumMemo = 1 << 24

  /// Reads a pickle; `path` is for messages.
  package static func read(
    _ bytes: UnsafeRawBufferPointer, path: String, storage: StorageSource
  ) throws(FormatError) -> PickleValue {
    var machine = PickleMachine(PickleBytes(bytes: bytes, path: path))
    let root = try machine.run(storage)
    var builder = PickleBuilder(heap: machine.heap, tensors: machine.tensors, path: path)
    return try builder.value(root)
  }
}

/// What a stack of the machine holds; containers, storages and tensors are indices.
enum PickleItem {
  case none
  case bool(Bool)
  case int(Int)
  case float(Double)
  case string(String)
  case object(Int)
  case storage(Int)
  case tensor(Int)
  case global(PickleGlobal)

  var kindName: String {
    switch self {
    case .none: "None"
    case .bool: "a bool"
    case .int: "an int"
    case .float: "a float"
    case .string: "a string"
    case .object: "a container"
    case .storage: "a storage"
    case .tensor: "a tensor"
    case .global: "a global name"
    }
  }
}

/// A list, a tuple, or a dict as alternating keys and values.
struct PickleObject {
  enum Kind { case list, tuple, dict }
  var kind: Kind
  var items: [PickleItem]
}

/// The Python names that a pickle may mention.
enum PickleGlobal {
  case orderedDict
  case rebuildTensor
  case rebuildParameter
  case storage(ElementType)

  init?(_ name: String) {
    switch name {
    case "collections.OrderedDict": self = .orderedDict
    case "torch._utils._rebuild_tensor_v2": self = .rebuildTensor
    case "torch._utils._rebuild_parameter": self = .rebuildParameter
    case "torch.DoubleStorage": self = .storage(.f64)
    case "torch.FloatStorage": self = .storage(.f32)
    case "torch.HalfStorage": self = .storage(.f16)
    case "torch.BFloat16Storage": self = .storage(.bf16)
    case "torch.LongStorage": self = .storage(.i64)
    case "torch.IntStorage": self = .storage(.i32)
    case "torch.ShortStorage": self = .storage(.i16)
    case "torch.CharStorage": self = .storage(.i8)
    case "torch.ByteStorage": self = .storage(.u8)
    case "torch.BoolStorage": self = .storage(.bool)
    default: return nil
    }
  }
}

/// A cursor over a pickle; every read checks the end.
struct PickleBytes {
  let bytes: UnsafeRawBufferPointer
  let path: String
  var position = 0
  /// Where the opcode being obeyed is, for messages.
  var opcode = 0

  init(bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  func fault(_ message: String) -> FormatError {
    FormatError(path, "data.pkl byte \(opcode)", message)
  }

  /// The next bytes, which are skipped.
  mutating func take(_ count: Int) throws(FormatError) -> UnsafeRawBufferPointer {
    guard count <= bytes.count - position else {
      throw fault(
        "the pickle is truncated: \(count) bytes expected, \(bytes.count - position) are left")
    }
    defer { position += count }
    return UnsafeRawBufferPointer(rebasing: bytes[position..<(position + count)])
  }

  /// The next little-endian number.
  mutating func number<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type
  ) throws(FormatError) -> T {
    T(littleEndian: try take(MemoryLayout<T>.size).loadUnaligned(as: type))
  }

  /// The next bytes as a string.
  mutating func text(_ count: Int) throws(FormatError) -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw fault("a string is not UTF-8")
    }
    return text
  }

  /// The text up to the next line feed, which is skipped too.
  mutating func line() throws(FormatError) -> String {
    let rest = bytes[position..<min(bytes.count, position + 256)]
    guard let end = rest.firstIndex(of: 0x0a) else {
      throw fault("a name of a global does not end within 256 bytes")
    }
    let line = try text(end - position)
    position += 1
    return line
  }

  /// A number of 0 to 8 bytes in two's complement.
  mutating func long() throws(FormatError) -> Int {
    let count = Int(try number(UInt8.self))
    guard count <= 8 else { throw fault("an int of \(count) bytes, expected at most 8") }
    let content = try take(count)
    let fill: UInt64 = (content.last ?? 0) & 0x80 == 0 ? 0 : ~0
    return Int(Int64(bitPattern: content.reversed().reduce(fill) { $0 << 8 | UInt64($1) }))
  }
}
