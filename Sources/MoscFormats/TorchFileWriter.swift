import Foundation

/// A nested dictionary of tensors, as training code hands it to `torch.save`.
package indirect enum TorchTree: Sendable {
  case tensor(HostArray)
  /// Entries in order.
  case dictionary([(key: String, value: TorchTree)])
}

extension TorchFile {
  /// Writes a dictionary of f32 tensors as `torch.save` does, all or nothing.
  ///
  /// The archive is that of PyTorch 2: `data.pkl`, one stored entry per tensor, `version` and
  /// `byteorder`. Equal tensors give equal bytes.
  /// - Throws: `FormatError` when the file cannot be written.
  package static func write(_ tree: TorchTree, to url: URL) throws {
    var pickle = TreePickle()
    pickle.append(tree)
    // The folder in the archive is the file's name in torch, and any name will do.
    let root = "archive"
    var zip = ZipWriter(path: url.path)
    try zip.append("\(root)/data.pkl", pickle.finished())
    try zip.append("\(root)/byteorder", Data("little".utf8))
    for (index, array) in pickle.storages.enumerated() {
      try zip.append("\(root)/data/\(index)", Data(array.floats.withUnsafeBytes { [UInt8]($0) }))
    }
    try zip.append("\(root)/version", Data("3\n".utf8))
    try AtomicFile.write(zip.finished(), to: url)
  }
}

/// Writes a tree in pickle protocol 2. Source: CPython `Lib/pickletools.py`; the calls are those of
/// PyTorch `torch/_tensor.py`, `__reduce_ex__`.
private struct TreePickle {
  private(set) var storages: [HostArray] = []
  private var bytes = Data([0x80, 2])

  mutating func append(_ tree: TorchTree) {
    switch tree {
    case .dictionary(let entries):
      bytes.append(UInt8(ascii: "}"))
      bytes.append(UInt8(ascii: "("))
      for (key, value) in entries {
        append(text: key)
        append(value)
      }
      bytes.append(UInt8(ascii: "u"))
    case .tensor(let array): append(array)
    }
  }

  func finished() -> Data { bytes + [UInt8(ascii: ".")] }

  /// `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)`.
  private mutating func append(_ array: HostArray) {
    append(global: "torch._utils", "_rebuild_tensor_v2")
    bytes.append(UInt8(ascii: "("))
    bytes.append(UInt8(ascii: "("))
    append(text: "storage")
    append(global: "torch", "FloatStorage")
    append(text: String(storages.count))
    append(text: "cpu")
    append(array.count)
    bytes.append(UInt8(ascii: "t"))
    bytes.append(UInt8(ascii: "Q"))
    append(0)
    append(tuple: array.shape)
    var strides = array.shape
    var step = 1
    for axis in array.shape.indices.reversed() {
      strides[axis] = step
      step *= array.shape[axis]
    }
    append(tuple: strides)
    bytes.append(0x89)
    append(global: "collections", "OrderedDict")
    bytes.append(UInt8(ascii: ")"))
    bytes.append(UInt8(ascii: "R"))
    bytes.append(UInt8(ascii: "t"))
    bytes.append(UInt8(ascii: "R"))
    storages.append(array)
  }

  private mutating func append(tuple values: [Int]) {
    bytes.append(UInt8(ascii: "("))
    for value in values { append(value) }
    bytes.append(UInt8(ascii: "t"))
  }

  private mutating func append(_ value: Int) {
    bytes.append(UInt8(ascii: "J"))
    bytes.append(number: Int32(clamping: value))
  }

  private mutating func append(text: String) {
    let utf8 = Data(text.utf8)
    bytes.append(UInt8(ascii: "X"))
    bytes.append(number: UInt32(utf8.count))
    bytes.append(utf8)
  }

  private mutating func append(global module: String, _ name: String) {
    bytes.append(contentsOf: "c\(module)\n\(name)\n".utf8)
  }
}
