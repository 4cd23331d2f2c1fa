import MoscLLVM

extension FunctionEmitter {
  /// The body of a loop: the index and carried values in, the next carried values out.
  package typealias LoopBody = (LLVMValue, [LLVMValue]) throws -> [LLVMValue]

  /// A counted loop `for i in from..<to by step`; runs no iteration when `from ≥ to`.
  @discardableResult
  package func loop(
    from: LLVMValue, to: LLVMValue, step: Int = 1, carrying initial: [LLVMValue] = [],
    _ body: LoopBody
  ) rethrows -> [LLVMValue] {
    if let low = from.constantInt, let high = to.constantInt {
      return try loop(from: low, to: high, step: step, carrying: initial, body)
    }
    return try branch(if: builder.compare(.less, from, to), carrying: initial) {
      try bottomTestedLoop(from: from, to: to, step: step, carrying: initial, body)
    }
  }

  /// A counted loop with constant bounds: nothing for no iteration, the bare body for one.
  @discardableResult
  package func loop(
    from low: Int, to high: Int, step: Int = 1, carrying initial: [LLVMValue] = [],
    _ body: LoopBody
  ) rethrows -> [LLVMValue] {
    if low >= high { return initial }
    if low + step >= high { return try body(int(low), initial) }
    return try bottomTestedLoop(
      from: int(low), to: int(high), step: step, carrying: initial, body)
  }

  /// A counted loop known to run at least once; the test is after the body.
  @discardableResult
  package func bottomTestedLoop(
    from: LLVMValue, to: LLVMValue, step: Int = 1, carrying initial: [LLVMValue] = [],
    _ body: LoopBody
  ) rethrows -> [LLVMValue] {
    guard let function, let before = builder.block else {
      failure = failure ?? .invalidModule("a loop outside a function")
      return initial
    }
    let head = builder.appendBlock("loop", to: function)
    builder.branch(to: head)
    builder.position(at: head)
    let index = builder.phi(from.type)
    let carried = initial.map { builder.phi($0.type) }
    let results = try body(index, carried)
    let next = add(index, step)
    let latch = builder.block ?? head
    let exit = builder.appendBlock("done", to: function)
    builder.branch(if: builder.compare(.less, next, to), head, else: exit)
    for (phi, (first, again)) in zip(
      [index] + carried, zip([from] + initial, [next] + results))
    {
      builder.addIncoming(first, from: before, to: phi)
      builder.addIncoming(again, from: latch, to: phi)
    }
    builder.position(at: exit)
    return results
  }

  /// Runs `then` when the condition holds; its values, or else `initial`, are the result.
  @discardableResult
  package func branch(
    if condition: LLVMValue, carrying initial: [LLVMValue] = [],
    _ then: () throws -> [LLVMValue]
  ) rethrows -> [LLVMValue] {
    try branch(if: condition, then, else: { initial })
  }

  /// Runs one of two bodies; both give values of the same types.
  @discardableResult
  package func branch(
    if condition: LLVMValue, _ then: () throws -> [LLVMValue],
    else other: () throws -> [LLVMValue]
  ) rethrows -> [LLVMValue] {
    guard let function else {
      failure = failure ?? .invalidModule("a branch outside a function")
      return []
    }
    let thenBlock = builder.appendBlock("then", to: function)
    let elseBlock = builder.appendBlock("else", to: function)
    let join = builder.appendBlock("join", to: function)
    builder.branch(if: condition, thenBlock, else: elseBlock)
    builder.position(at: thenBlock)
    let left = try then()
    let leftEnd = builder.block ?? thenBlock
    builder.branch(to: join)
    builder.position(at: elseBlock)
    let right = try other()
    let rightEnd = builder.block ?? elseBlock
    builder.branch(to: join)
    builder.position(at: join)
    return zip(left, right).map { a, b in
      let phi = builder.phi(a.type)
      builder.addIncoming(a, from: leftEnd, to: phi)
      builder.addIncoming(b, from: rightEnd, to: phi)
      return phi
    }
  }
}
