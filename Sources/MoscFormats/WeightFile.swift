import Foundation

/// Files of tensors, whatever their format.
package enum WeightFile {
  /// Opens a safetensors or torch file by what it begins with, not by its name; tensors stay where
  /// they are in the file, except those of 8-bit floats, which no kernel reads: they become f16,
  /// which holds each of them exactly.
  package static func open(_ url: URL) throws -> any WeightSource {
    if try isTorch(url) { return try TorchWeights(TorchFile(url)) }
    let file = try SafetensorsFile(url)
    let small = file.entries.filter { $0.dtype.isSmallFloat }
    if small.isEmpty { return file }
    let widened = try small.map { entry in
      let array = try file.array(entry.name)
      return (name: entry.name, array: HostArray(array.floats.map { Float16($0) }, shape: entry.shape))
    }
    return WidenedWeights(base: file, widened: TensorStore(url.path, widened))
  }

  /// Whether a file is a zip archive or a bare pickle, as torch writes them.
  private static func isTorch(_ url: URL) throws -> Bool {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue {
      throw FormatError(url.path, nil, "is a folder, expected a file of tensors (.safetensors, or torch's)")
    }
    guard let handle = FileHandle(forReadingAtPath: url.path) else { return false }
    defer { try? handle.close() }
    let start = try handle.read(upToCount: 4) ?? Data()
    return start.starts(with: [0x50, 0x4b, 0x03, 0x04]) || start.starts(with: [0x80, 0x02])
  }
}

/// The tensors of a torch file where they lie in it; only views with gaps are copied.
///
/// Checkpoints that training wrote hold the model under `state_dict`, beside the training's own
/// state, which is left out.
package struct TorchWeights: WeightSource {
  private static let wrapper = "state_dict."
  package let names: [String]
  private let file: TorchFile
  private let inPlace: [String: TorchTensor]
  private let copies: TensorStore

  package init(_ file: TorchFile) {
    self.file = file
    var tensors = file.tensors
    if tensors.contains(where: { $0.name.hasPrefix(Self.wrapper) }) {
      tensors = tensors.compactMap { name, tensor in
        name.hasPrefix(Self.wrapper) ? (String(name.dropFirst(Self.wrapper.count)), tensor) : nil
      }
    }
    names = tensors.map(\.name)
    let copied = tensors.filter { !$0.tensor.isInPlace }
    copies = TensorStore(file.url.path, copied.map { ($0.name, $0.tensor.array()) })
    inPlace = Dictionary(
      tensors.filter(\.tensor.isInPlace).map { ($0.name, $0.tensor) },
      uniquingKeysWith: { first, _ in first })
  }

  package var place: String { file.url.path }
  package var identity: String? { file.mapped.identity }
  package var isUnchanged: Bool { file.mapped.isUnchanged }

  package func weight(_ name: String) -> WeightTensor? {
    guard let tensor = inPlace[name] else { return copies.weight(name) }
    return WeightTensor(dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytesInPlace)
  }

  package func dropPages(of name: String) {
    if let tensor = inPlace[name] { file.mapped.dropPages(tensor.rangeInPlace) }
  }
}

extension TorchTensor {
  /// Whether the elements lie in the file as a kernel reads them.
  fileprivate var isInPlace: Bool {
    isContiguous && UInt(bitPattern: bytesInPlace.baseAddress) % UInt(dtype.byteSize) == 0
  }

  /// The elements of a contiguous tensor in the mapped file.
  fileprivate var bytesInPlace: UnsafeRawBufferPointer {
    let size = dtype.byteSize
    return UnsafeRawBufferPointer(
      rebasing: storage.bytes[offset * size..<(offset + count) * size])
  }

  /// Where the elements of a contiguous tensor lie in the file.
  fileprivate var rangeInPlace: Range<Int> {
    let start = storage.range.lowerBound + offset * dtype.byteSize
    return start..<start + count * dtype.byteSize
  }
}

/// A file some of whose tensors were made wider.
private struct WidenedWeights: WeightSource {
  let base: SafetensorsFile
  let widened: TensorStore

  var place: String { base.place }
  var identity: String? { base.identity }
  var isUnchanged: Bool { base.isUnchanged }
  var names: [String] { base.names }
  func weight(_ name: String) -> WeightTensor? { widened.weight(name) ?? base.weight(name) }
  func dropPages(of name: String) { base.dropPages(of: name) }
}
