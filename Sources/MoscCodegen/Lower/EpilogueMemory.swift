import MoscIR
import MoscLLVM

/// The buffers in which an epilogue reads or writes the element of each output: residuals, gates and
/// the result.
struct EpilogueMemory {
  private struct Buffer {
    let pointer: LLVMValue
    let dtype: DType
    let isWritten: Bool
  }

  private let e: FunctionEmitter
  private let buffers: [Buffer]
  /// Elements of a row of them all.
  private let width: Int
  /// Bytes of a cache line.
  private static let line = 64

  /// - Parameter factors: what the products read, which is no business of the epilogue.
  init(
    _ pull: PullEmitter, _ anchor: Node, besides factors: [ValueID],
    _ result: (id: ValueID, pointer: LLVMValue)
  ) {
    e = pull.e
    let type = pull.graph.type(anchor.results[0])
    width = type.lastExtent
    func isParallel(_ id: ValueID) -> Bool {
      let other = pull.graph.type(id)
      return other.layout == .dense && other.dtype != .q8 && other.count == type.count
        && other.lastExtent == type.lastExtent && !factors.contains(id)
    }
    buffers =
      pull.graph.parameters.filter(isParallel).compactMap { id in
        pull.pointers[id].map {
          Buffer(pointer: $0, dtype: pull.graph.type(id).dtype, isWritten: false)
        }
      }
      + [(result.id, result.pointer)].filter { isParallel($0.0) }.map {
        Buffer(pointer: $0.1, dtype: pull.graph.type($0.0).dtype, isWritten: true)
      }
  }

  /// Asks for the lines of some columns of one row.
  func prefetch(row: LLVMValue, column: LLVMValue, columns: Int) {
    let first = e.add(e.mul(row, width), column)
    for buffer in buffers {
      let start = e.element(buffer.pointer, first, buffer.dtype)
      for offset in stride(from: 0, to: columns * buffer.dtype.byteSize, by: Self.line) {
        e.prefetch(e.offset(start, bytes: offset), forWriting: buffer.isWritten)
      }
    }
  }
}
