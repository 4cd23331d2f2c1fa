import Foundation
import Synchronization

/// Tensors that are computed when they are needed, at addresses that are known before, and given back after.
///
/// A store of wide changes would take as much memory as the model in f32; so it takes that of one tensor.
package final class LazyTensors: WeightSource {
  /// A tensor of f32.
  package struct Entry: Sendable {
    package var name: String
    package var shape: [Int]
    package var values: @Sendable () throws -> [Float]

    package init(name: String, shape: [Int], values: @escaping @Sendable () throws -> [Float]) {
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  /// Tensors that are there already.
  private let made: TensorStore
  private let table: [String: (entry: Entry, range: Range<Int>)]
  private let memory: UnsafeMutableRawBufferPointer
  /// The names of the tensors that are in memory.
  private let filled = Mutex<Set<String>>([])

  private let source: String?

  package let names: [String]
  package var place: String { made.place }

  /// - Throws: `FormatError` when the system has no addresses for them.
  ///
  /// - Parameter source: what tells the numbers that they are computed from; nil if nothing does.
  package init(_ made: TensorStore, _ entries: [Entry], from source: String? = nil) throws(FormatError) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    var table: [String: (Entry, Range<Int>)] = [:]
    var size = 0
    for entry in entries {
      let count = 4 * entry.shape.reduce(1, *)
      table[entry.name] = (entry, size..<size + count)
      // Pages are given back whole.
      size += (count + page - 1) / page * page
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let address = mmap(nil, max(size, page), PROT_READ | PROT_WRITE, flags, -1, 0), address != MAP_FAILED
    else { throw FormatError(made.place, nil, "its changes need \(size) bytes of addresses, which there are not") }
    memory = UnsafeMutableRawBufferPointer(start: address, count: max(size, page))
    (self.made, self.table, self.source) = (made, table, source)
    names = made.names + entries.map(\.name)
  }

  deinit { munmap(memory.baseAddress, memory.count) }

  package var identity: String? {
    guard !table.isEmpty else { return made.identity }
    return source.flatMap { source in made.identity.map { "\($0) \(source)" } }
  }

  package func weight(_ name: String) -> WeightTensor? {
    prepare(name)
    return reserved(name)
  }

  package func reserved(_ name: String) -> WeightTensor? {
    guard let (entry, range) = table[name] else { return made.weight(name) }
    return WeightTensor(
      dtype: .f32, shape: entry.shape,
      bytes: UnsafeRawBufferPointer(rebasing: memory[range]))
  }

  package func prepare(_ name: String) {
    guard let (entry, range) = table[name] else { return }
    filled.withLock { filled in
      guard filled.insert(name).inserted else { return }
      let count = range.count / 4
      let target = memory[range].bindMemory(to: Float.self)
      // Shapes were compared when the adapter was opened. Whatever goes wrong after that is no number, which
      // every run ends at.
      guard let values = try? entry.values(), values.count == count else {
        target.update(repeating: .nan)
        return
      }
      _ = target.update(fromContentsOf: values)
    }
  }

  package func dropPages(of name: String) {
    guard let range = table[name]?.range, let base = memory.baseAddress else { return }
    filled.withLock { filled in
      guard filled.remove(name) != nil else { return }
      madvise(base + range.lowerBound, range.count, MADV_DONTNEED)
    }
  }
}

// The memory is written under the lock, before its reader is told of it.
extension LazyTensors: @unchecked Sendable {}
