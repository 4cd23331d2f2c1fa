import Foundation
import Synchronization

/// Named tensors in memory that stays where it is: a mapped file, or numbers made by the program.
package protocol WeightSource: Sendable {
  /// Where the tensors come from, as error messages say it.
  var place: String { get }
  /// What tells the tensors from any others, in other runs, too; nil for what only this run has.
  var identity: String? { get }
  /// Whether the tensors are still those that were there when the source was opened.
  var isUnchanged: Bool { get }
  /// The names of the tensors.
  var names: [String] { get }
  /// The tensor of a name.
  func weight(_ name: String) -> WeightTensor?
  /// Where the tensor of a name will lie once it is prepared.
  func reserved(_ name: String) -> WeightTensor?
  /// Makes a tensor whose place was asked for before it is read.
  func prepare(_ name: String)
  /// Lets the system take back the pages of a tensor that will not be read again soon.
  func dropPages(of name: String)
}

/// A tensor of a weight source; the source owns the bytes.
package struct WeightTensor {
  package var dtype: ElementType
  package var shape: [Int]
  package var bytes: UnsafeRawBufferPointer
}

extension WeightSource {
  package func reserved(_ name: String) -> WeightTensor? { weight(name) }
  package func prepare(_ name: String) {}
  package var identity: String? { nil }
  package var isUnchanged: Bool { true }
}

extension SafetensorsFile: WeightSource {
  package var place: String { url.path }
  package var names: [String] { entries.map(\.name) }

  package func weight(_ name: String) -> WeightTensor? {
    self[name].map { WeightTensor(dtype: $0.dtype, shape: $0.shape, bytes: bytes(of: $0)) }
  }

  package func dropPages(of name: String) {
    if let entry = self[name] { dropPages(of: entry) }
  }
}

/// Tensors that the program made, at fixed addresses.
package final class TensorStore: WeightSource {
  package let place: String
  package let names: [String]
  private let table: [String: (dtype: ElementType, shape: [Int], range: Range<Int>)]
  private let memory: UnsafeMutableRawBufferPointer
  /// The hash of the tensors, once it was wanted.
  private let hash = Mutex<String?>(nil)

  /// Copies the tensors; of equal names the last counts.
  package init(_ place: String, _ tensors: [(name: String, array: HostArray)]) {
    var table: [String: (ElementType, [Int], Range<Int>)] = [:]
    var size = 0
    for (name, array) in tensors {
      table[name] = (array.dtype, array.shape, size..<size + array.bytes.count)
      size += (array.bytes.count + 63) / 64 * 64
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 64), alignment: 64)
    // The identity is of all bytes, those between tensors, too.
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    for (name, array) in tensors {
      guard let range = table[name]?.2 else { continue }
      array.bytes.withUnsafeBytes {
        UnsafeMutableRawBufferPointer(rebasing: memory[range]).copyMemory(from: $0)
      }
    }
    self.place = place
    self.table = table
    self.memory = memory
    names = tensors.map(\.name)
  }

  deinit { memory.deallocate() }

  /// A hash of names, types, shapes and numbers.
  package var identity: String? {
    hash.withLock { hash in
      if let hash { return hash }
      let heads = Set(names).sorted().map { name in
        table[name].map { "\(name) \($0.dtype) \($0.shape) \($0.range)" } ?? name
      }
      let made = FileHash.sha256(heads.joined(separator: "\n"), followedBy: UnsafeRawBufferPointer(memory))
      hash = made
      return made
    }
  }

  package func weight(_ name: String) -> WeightTensor? {
    table[name].map {
      WeightTensor(
        dtype: $0.dtype, shape: $0.shape,
        bytes: UnsafeRawBufferPointer(rebasing: memory[$0.range]))
    }
  }

  package func dropPages(of name: String) {}
}

// The memory is written before anybody else can see it, and never again.
extension TensorStore: @unchecked Sendable {}
