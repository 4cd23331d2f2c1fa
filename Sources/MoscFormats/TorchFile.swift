import Foundation

/// A zip file of `torch.save` (`.pth`, `.pt`, `.ckpt`, `.bin`), read without running any of it.
///
/// Layout: stored entries `<archive>/data.pkl` (a pickle of protocol 2), `<archive>/data/<key>` (one
/// storage each) and optionally `<archive>/byteorder`. Source: torch/serialization.py.
package struct TorchFile: Sendable {
  package let url: URL
  /// The mapped file.
  let mapped: MappedFile
  /// The whole content.
  package let root: PickleValue
  /// The tensors under their dotted names, such as `params.unet.….weight`, in the order of the file.
  package let tensors: [(name: String, tensor: TorchTensor)]
  private let index: [String: Int]

  package init(_ url: URL) throws(FormatError) {
    self.url = url
    let path = url.path
    let file = try MappedFile(url)
    mapped = file
    guard ZipArchive.isZip(file.bytes) else {
      guard file.bytes.starts(with: [0x80, 0x02]) else {
        let kind = FileKind.describe(file.bytes).map { ", found \($0)" } ?? ""
        throw FormatError(path, nil, "is not a torch file: expected a zip archive\(kind)")
      }
      throw FormatError(
        path, nil, "is a torch file from before version 1.6, expected a zip archive; load and "
          + "save it again with a newer torch")
    }
    let archive = try ZipArchive(file)
    let pickles = archive.entries.filter {
      $0.name.hasSuffix("/data.pkl") && $0.name.utf8.count(where: { $0 == UInt8(ascii: "/") }) == 1
    }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw FormatError(
        path, nil, "is not a torch file: \(pickles.count) entries <archive>/data.pkl, expected 1")
    }
    let folder = pickle.name.dropLast("data.pkl".utf8.count)
    if let order = archive["\(folder)byteorder"],
      !archive.bytes(of: order).elementsEqual("little".utf8)
    {
      throw FormatError(path, "entry \"\(order.name)\"", "expected \"little\"")
    }
    root = try Pickle.read(try archive.checkedBytes(of: pickle), path: path) {
      (key, dtype, count) throws(FormatError) in
      let name = "\(folder)data/\(key)"
      guard let entry = archive[name] else {
        throw FormatError(path, "entry \"\(name)\"", "a tensor needs it, but it is missing")
      }
      return try TorchStorage(dtype: dtype, count: count, archive: archive, entry: entry)
    }
    var tensors: [(name: String, tensor: TorchTensor)] = []
    var index: [String: Int] = [:]
    try root.forEachLeaf { (name, value) throws(FormatError) in
      guard let tensor = value.tensor else { return }
      guard index.updateValue(tensors.count, forKey: name) == nil else {
        throw FormatError(path, "tensor \"\(name)\"", "two tensors have this dotted name")
      }
      tensors.append((name, tensor))
    }
    self.tensors = tensors
    self.index = index
  }

  /// The tensor of that dotted name, or nil.
  package subscript(name: String) -> TorchTensor? { index[name].map { tensors[$0].tensor } }

  /// A copy of a tensor.
  package func array(_ name: String) throws(FormatError) -> HostArray {
    guard let tensor = self[name] else {
      let nearest = NearestName.suggest(name, in: tensors.map(\.name))
      throw FormatError(
        url.path, "tensor \"\(name)\"",
        "not in the file" + (nearest.map { "; the nearest name is \"\($0)\"" } ?? ""))
    }
    return tensor.array()
  }
}
