import MoscLLVM

extension FunctionEmitter {
  /// Defines an exported kernel `void name(ptr args, i64 taskBegin, i64 taskEnd)`.
  ///
  /// `args` points at one pointer per buffer. `body` is given the buffers' pointers once and writes
  /// the code of one task; tasks run in order, and different calls may run different tasks at once.
  /// - Parameters:
  ///   - buffers: The number of buffers: the parameters, then the results.
  ///   - prologue: Code before the first task of a call; its values go to every task.
  package func kernel(
    _ name: String, buffers: Int,
    prologue: ([LLVMValue]) throws -> [LLVMValue],
    task: (_ task: LLVMValue, _ buffers: [LLVMValue], _ prologue: [LLVMValue]) throws -> Void
  ) rethrows {
    try define(name, [pointer, i64, i64], visibility: .exported) { parameters in
      let pointers = (0..<buffers).map { index in
        builder.load(pointer, offset(parameters[0], bytes: index * 8), align: 8)
      }
      let shared = try prologue(pointers)
      try loop(from: parameters[1], to: parameters[2]) { index, _ in
        try task(index, pointers, shared)
        return []
      }
      return nil
    }
  }

  /// Defines an exported kernel without code before the first task.
  package func kernel(
    _ name: String, buffers: Int,
    task: (_ task: LLVMValue, _ buffers: [LLVMValue]) throws -> Void
  ) rethrows {
    try kernel(name, buffers: buffers, prologue: { _ in [] }) { index, pointers, _ in
      try task(index, pointers)
    }
  }
}
