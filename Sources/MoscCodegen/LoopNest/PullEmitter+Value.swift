import MoscIR
import MoscLLVM

extension PullEmitter {
  /// The value of a tensor at an index, rounded to its element type.
  func value(_ id: ValueID, at index: [IndexExpr]) throws -> LLVMValue {
    if let given = injected[id], given.index == index { return given.value }
    return try memo(.value(id, index)) {
      func make() throws -> LLVMValue {
        let (value, isRounded) = try unrounded(id, at: index)
        return isRounded ? value : rounded(value, to: graph.type(id).dtype)
      }
      // The same element for all lanes is a scalar, whatever the vector length around it.
      guard lane != nil, index.allSatisfy(\.isUniform) else { return try make() }
      return try withLanes(1, active: 1) { _ in try make() }
    }
  }

  /// The value of a tensor before it is rounded to its element type, as a store needs it.
  func unrounded(
    _ id: ValueID, at index: [IndexExpr]
  ) throws -> (value: LLVMValue, isRounded: Bool) {
    if let given = injected[id] {
      if given.index == index { return (given.value, false) }
      throw failure("'%\(graph[id].name)' is used at another element than the kernel computes")
    }
    if let value = remembered(.value(id, index)) { return (value, true) }
    switch graph[id].definition {
    case .parameter:
      guard let pointer = pointers[id] else {
        throw failure("no buffer for '%\(graph[id].name)'")
      }
      let type = graph.type(id)
      if !areNeighbours(space.linear(index, in: type.shape)) {
        remark(
          "vectorise.gather",
          "'%\(graph[id].name)' (\(type)) is gathered: elements that a vector of \(lanes) needs are "
            + "not neighbours in it")
      }
      return (try load(type, pointer, at: index), true)
    case .result(let node, _):
      return try located(at: node) { try compute(node, at: index) }
    }
  }

  /// f32 values rounded to what an element of the type can hold.
  func rounded(_ value: LLVMValue, to dtype: DType) -> LLVMValue {
    switch dtype {
    case .bf16, .f16: e.toF32(e.fromF32(value, to: dtype), from: dtype)
    case .f32, .i32, .u8, .i8, .q8: value
    }
  }

  // MARK: Memory

  /// Loads elements of a dense buffer of the given type.
  func load(_ type: TensorType, _ pointer: LLVMValue, at index: [IndexExpr]) throws -> LLVMValue {
    guard type.layout == .dense, type.dtype != .q8 else {
      throw failure("\(type) can only be read by a contraction over packed weights")
    }
    return load(type.dtype, pointer, offset: space.linear(index, in: type.shape), type.count)
  }

  /// Loads the elements at `offset`, which is one position or one per lane.
  func load(
    _ dtype: DType, _ pointer: LLVMValue, offset: IndexExpr, _ count: Int
  ) -> LLVMValue {
    let raw: LLVMValue
    if offset.isUniform {
      raw = e.loadRaw(dtype, e.element(pointer, scalar(offset), dtype), lanes: 1)
    } else if let lane, areNeighbours(offset) {
      let start = scalar(offset - IndexExpr(lane))
      raw = e.loadRaw(dtype, e.element(pointer, start, dtype), lanes: lanes, count: active)
    } else {
      raw = gather(dtype, pointer, vector(offset), count)
    }
    return dtype.isFloat ? e.toF32(raw, from: dtype) : toI32(raw, from: dtype)
  }

  /// Whether the elements at an offset per lane are one element, or lie side by side.
  private func areNeighbours(_ offset: IndexExpr) -> Bool {
    offset.isUniform
      || offset.terms.allSatisfy {
        $0.variable == lane ? $0.coefficient == 1 : !$0.variable.varies
      }
  }

  private func gather(
    _ dtype: DType, _ pointer: LLVMValue, _ positions: LLVMValue, _ count: Int
  ) -> LLVMValue {
    let type = e.storageType(dtype, lanes)
    // 32-bit byte offsets let the processor gather; they reach 2 GiB.
    let fits = count * dtype.byteSize <= Int(Int32.max)
    let wide = fits ? positions : e.builder.cast(.sext, positions, e.type(e.i64, lanes))
    let addresses = e.builder.offset(
      pointer, bytes: e.mul(wide, e.int(dtype.byteSize, like: wide)))
    return e.call(
      "llvm.masked.gather", [type, addresses.type],
      [
        addresses, e.int32(dtype.byteSize), e.mask(lanes: lanes, count: active),
        e.builder.zero(type),
      ])
  }

  private func toI32(_ raw: LLVMValue, from dtype: DType) -> LLVMValue {
    switch dtype {
    case .u8: e.builder.cast(.zext, raw, e.type(e.i32, like: raw))
    case .i8: e.builder.cast(.sext, raw, e.type(e.i32, like: raw))
    case .i32, .f32, .bf16, .f16, .q8: raw
    }
  }

  /// Stores a value at an index of a dense buffer where lanes are neighbours.
  func store(
    _ value: LLVMValue, as type: TensorType, _ pointer: LLVMValue, at index: [IndexExpr]
  ) throws {
    var start = space.linear(index, in: type.shape)
    if let lane {
      guard start.coefficient(of: lane) == 1 else {
        throw failure("the lanes of \(type) are not neighbours in memory")
      }
      start = start - IndexExpr(lane)
    }
    let address = e.element(pointer, scalar(start), type.dtype)
    let value = lane == nil ? value : wide(value)
    switch type.dtype {
    case .f32, .bf16, .f16:
      e.store(value, as: type.dtype, address, count: active)
    case .i32:
      e.storeRaw(value, address, count: active, align: 4)
    case .q8: throw failure("\(type) can only be written by 'quantise'")
    case .u8, .i8:
      e.storeRaw(
        e.builder.cast(.trunc, value, e.type(e.i8, like: value)), address, count: active, align: 1)
    }
  }

  // MARK: Constants

  /// A literal: one number, or an element of a table in the object file.
  func constant(
    _ op: Constant, _ node: NodeID, at index: [IndexExpr]
  ) throws -> LLVMValue {
    let dtype = op.type.dtype
    let values = op.values.map { dtype.round($0) }
    if values.count == 1 || Set(values).count == 1, let first = values.first {
      return dtype.isFloat ? e.float(first) : e.int32(Int(first))
    }
    // The table holds f32; larger integers would lose digits.
    guard dtype.isFloat || values.allSatisfy({ abs($0) <= 0x1p24 }) else {
      throw failure("the numbers of a constant \(op.type) exceed 2^24")
    }
    let table = e.builder.table(values.map { Float($0) }, name: "table\(node.index)")
    let position = space.linear(index, in: op.type.shape)
    let value = load(.f32, table, offset: position, values.count)
    return dtype.isFloat
      ? value : e.builder.cast(.fptosi, value, e.type(e.i32, like: value))
  }
}
