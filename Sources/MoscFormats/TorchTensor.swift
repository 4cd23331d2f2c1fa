import Foundation

/// A run of elements in a torch file that tensors are views of.
package struct TorchStorage: Sendable {
  package let dtype: ElementType
  package let count: Int
  let archive: ZipArchive
  let entry: ZipArchive.Entry

  /// Checks that the entry holds exactly `count` elements.
  init(
    dtype: ElementType, count: Int, archive: ZipArchive, entry: ZipArchive.Entry
  ) throws(FormatError) {
    let (size, overflow) = count.multipliedReportingOverflow(by: dtype.byteSize)
    guard count >= 0, !overflow, size == entry.range.count else {
      throw FormatError(
        archive.url.path, "entry \"\(entry.name)\"",
        "a storage of \(count) elements of \(dtype.rawValue) does not fit its "
          + "\(entry.range.count) bytes")
    }
    self.dtype = dtype
    self.count = count
    self.archive = archive
    self.entry = entry
  }

  var bytes: UnsafeRawBufferPointer { archive.bytes(of: entry) }

  /// Where the elements lie in the file.
  var range: Range<Int> { entry.range }
}

/// A tensor of a torch file: a strided view of a storage, copied only when asked for.
///
/// Element `[i₀, i₁, …]` is element `offset + Σ iₖ·strides[k]` of the storage; all of them are
/// inside it.
package struct TorchTensor: Sendable {
  package let storage: TorchStorage
  package let offset: Int
  package let shape: [Int]
  package let strides: [Int]

  /// The elements that a tensor larger than its storage (an expanded one) may have.
  static let maximumExpansion = 1 << 24
  /// The most axes that are believed.
  static let maximumRank = 64

  package var dtype: ElementType { storage.dtype }
  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// A checked view, or throws what is wrong with it.
  init(
    storage: TorchStorage, offset: Int, shape: [Int], strides: [Int]
  ) throws(InvalidView) {
    guard shape.count == strides.count, shape.count <= Self.maximumRank else {
      throw InvalidView(message: "\(shape.count) extents and \(strides.count) strides")
    }
    guard offset >= 0, shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }) else {
      throw InvalidView(
        message: "offset \(offset), shape \(shape), strides \(strides): none may be negative")
    }
    // Zero extents count as one here, so that every product of a kept tensor fits.
    let count = Self.product(shape.map { max($0, 1) })
    guard let count, count <= max(storage.count, Self.maximumExpansion) else {
      throw InvalidView(message: "shape \(shape) is too large for \(storage.count) elements")
    }
    guard shape.contains(0) || Self.last(offset, shape, strides).map({ $0 < storage.count }) == true
    else {
      throw InvalidView(
        message: "offset \(offset), shape \(shape), strides \(strides) reach beyond the "
          + "\(storage.count) elements of the storage")
    }
    self.storage = storage
    self.offset = offset
    self.shape = shape
    // The stride of an axis with one element is never used, and may be any number in the file.
    self.strides = zip(shape, strides).map { $0 > 1 ? $1 : 0 }
  }

  /// What is wrong with a view.
  struct InvalidView: Error {
    let message: String
  }

  private static func product(_ values: [Int]) -> Int? {
    var result = 1
    for value in values {
      let (next, overflow) = result.multipliedReportingOverflow(by: value)
      if overflow { return nil }
      result = next
    }
    return result
  }

  /// The largest element index that a view reads, or nil if it does not fit an integer.
  private static func last(_ offset: Int, _ shape: [Int], _ strides: [Int]) -> Int? {
    var result = offset
    for (extent, stride) in zip(shape, strides) {
      let (distance, wide) = (extent - 1).multipliedReportingOverflow(by: stride)
      let (next, wider) = result.addingReportingOverflow(distance)
      if wide || wider { return nil }
      result = next
    }
    return result
  }

  /// Whether the elements lie in row-major order without gaps.
  package var isContiguous: Bool {
    var expected = 1
    for (extent, stride) in zip(shape, strides).reversed() where extent != 1 {
      if stride != expected { return false }
      expected *= extent
    }
    return true
  }

  /// A row-major copy.
  package func array() -> HostArray {
    let source = storage.bytes
    let size = dtype.byteSize
    let count = count
    if count == 0 { return HostArray(dtype: dtype, shape: shape, bytes: []) }
    if isContiguous {
      let part = source[(offset * size)..<((offset + count) * size)]
      return HostArray(dtype: dtype, shape: shape, bytes: Array(part))
    }
    return HostArray(
      dtype: dtype, shape: shape,
      bytes: StridedCopy.rowMajor(
        source, elementSize: size, offset: offset, shape: shape, strides: strides))
  }
}
