/// The stack machine of a pickle, without the power to call anything.
struct PickleMachine {
  private var input: PickleBytes
  private var stack: [PickleItem] = []
  /// The heights of the stack at the open marks.
  private var marks: [Int] = []
  private var memo: [Int: PickleItem] = [:]
  private(set) var heap: [PickleObject] = []
  private var storages: [TorchStorage] = []
  private(set) var tensors: [TorchTensor] = []

  init(_ input: PickleBytes) { self.input = input }

  /// Runs to the STOP opcode and returns the one value that is left.
  mutating func run(_ source: Pickle.StorageSource) throws(FormatError) -> PickleItem {
    while true {
      input.opcode = input.position
      let code = try input.number(UInt8.self)
      guard let opcode = PickleOpcode(rawValue: code) else {
        throw input.fault(
          "the opcode \(PickleOpcode.name(code)) is refused: only plain data and tensors are read")
      }
      if opcode == .stop { break }
      try step(opcode, source)
    }
    let root = try pop()
    guard stack.isEmpty, marks.isEmpty, input.position == input.bytes.count else {
      throw input.fault(
        "after STOP there are \(stack.count) values, \(marks.count) marks and "
          + "\(input.bytes.count - input.position) bytes left over")
    }
    return root
  }

  private mutating func step(
    _ opcode: PickleOpcode, _ source: Pickle.StorageSource
  ) throws(FormatError) {
    switch opcode {
    case .proto:
      let version = try input.number(UInt8.self)
      guard version == 2 else { throw input.fault("pickle protocol \(version), expected 2") }
    case .stop: break
    case .mark: marks.append(stack.count)
    case .none: stack.append(.none)
    case .newtrue: stack.append(.bool(true))
    case .newfalse: stack.append(.bool(false))
    case .binint: stack.append(.int(Int(try input.number(Int32.self))))
    case .binint1: stack.append(.int(Int(try input.number(UInt8.self))))
    case .binint2: stack.append(.int(Int(try input.number(UInt16.self))))
    case .long1: stack.append(.int(try input.long()))
    case .binfloat:
      stack.append(.float(Double(bitPattern: try input.number(UInt64.self).byteSwapped)))
    case .binunicode:
      stack.append(.string(try input.text(Int(try input.number(UInt32.self)))))
    case .emptyDict: push(.dict, [])
    case .emptyList: push(.list, [])
    case .emptyTuple: push(.tuple, [])
    case .tuple: push(.tuple, try popToMark())
    case .tuple1: push(.tuple, try pop(1))
    case .tuple2: push(.tuple, try pop(2))
    case .tuple3: push(.tuple, try pop(3))
    case .append: try extend(.list, try pop(1))
    case .appends: try extend(.list, try popToMark())
    case .setitem: try extend(.dict, try pop(2))
    case .setitems: try extend(.dict, try popToMark())
    case .binput: try remember(Int(try input.number(UInt8.self)))
    case .longBinput: try remember(Int(try input.number(UInt32.self)))
    case .binget: try recall(Int(try input.number(UInt8.self)))
    case .longBinget: try recall(Int(try input.number(UInt32.self)))
    case .global: try global()
    case .binpersid: try persistent(source)
    case .reduce: try reduce()
    case .build: try build()
    }
  }

  // MARK: The stack

  /// The height below which an opcode must not reach.
  private var floor: Int { marks.last ?? 0 }

  private mutating func pop(_ count: Int) throws(FormatError) -> [PickleItem] {
    guard stack.count - floor >= count else {
      throw input.fault("the stack has \(stack.count - floor) values, expected \(count)")
    }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func pop() throws(FormatError) -> PickleItem {
    guard stack.count > floor, let item = stack.popLast() else {
      throw input.fault("the stack is empty")
    }
    return item
  }

  private mutating func popToMark() throws(FormatError) -> [PickleItem] {
    guard let mark = marks.popLast() else { throw input.fault("there is no mark") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func push(_ kind: PickleObject.Kind, _ items: [PickleItem]) {
    heap.append(PickleObject(kind: kind, items: items))
    stack.append(.object(heap.count - 1))
  }

  /// Adds items to the list or dict on top of the stack.
  private mutating func extend(
    _ kind: PickleObject.Kind, _ items: [PickleItem]
  ) throws(FormatError) {
    guard stack.count > floor, case .object(let index)? = stack.last, heap[index].kind == kind
    else {
      let found = stack.count > floor ? stack.last?.kindName : nil
      throw input.fault("expected a \(kind) below the new items, found \(found ?? "nothing")")
    }
    if kind == .dict {
      guard items.count.isMultiple(of: 2) else { throw input.fault("a key has no value") }
      for key in stride(from: 0, to: items.count, by: 2) {
        switch items[key] {
        case .string, .int: break
        default:
          throw input.fault(
            "a key of a dict is \(items[key].kindName), expected a string or an int")
        }
      }
    }
    heap[index].items += items
  }

  private mutating func remember(_ index: Int) throws(FormatError) {
    guard stack.count > floor, let item = stack.last else {
      throw input.fault("the stack is empty")
    }
    guard index <= Pickle.maximumMemo else {
      throw input.fault("memo index \(index), expected at most \(Pickle.maximumMemo)")
    }
    memo[index] = item
  }

  private mutating func recall(_ index: Int) throws(FormatError) {
    guard let item = memo[index] else {
      throw input.fault("nothing was stored at memo index \(index)")
    }
    stack.append(item)
  }

  // MARK: Names, storages and tensors

  private mutating func global() throws(FormatError) {
    let module = try input.line()
    let name = "\(module).\(try input.line())"
    guard let global = PickleGlobal(name) else {
      throw input.fault(
        "the name \(name.debugDescription) is refused: only plain data and tensors are read")
    }
    stack.append(.global(global))
  }

  private func tuple(_ item: PickleItem?, _ what: String) throws(FormatError) -> [PickleItem] {
    guard case .object(let index)? = item, heap[index].kind == .tuple else {
      throw input.fault("\(what): expected a tuple, found \(item?.kindName ?? "nothing")")
    }
    return heap[index].items
  }

  private func integers(_ item: PickleItem, _ what: String) throws(FormatError) -> [Int] {
    var result: [Int] = []
    for element in try tuple(item, what) {
      guard case .int(let number) = element else {
        throw input.fault("\(what): expected ints, found \(element.kindName)")
      }
      result.append(number)
    }
    return result
  }

  /// `('storage', type, key, location, count)`; the location (a device) does not matter.
  private mutating func persistent(_ source: Pickle.StorageSource) throws(FormatError) {
    let id = try tuple(try pop(), "a persistent id")
    guard id.count == 5, case .string("storage") = id[0],
      case .global(.storage(let dtype)) = id[1], case .string(let key) = id[2],
      case .string = id[3], case .int(let count) = id[4]
    else {
      throw input.fault(
        "unknown persistent id (\(id.prefix(6).map(\.kindName).joined(separator: ", "))), expected "
          + "('storage', type, key, location, count)")
    }
    storages.append(try source(key, dtype, count))
    stack.append(.storage(storages.count - 1))
  }

  private mutating func reduce() throws(FormatError) {
    let arguments = try tuple(try pop(), "the arguments of a call")
    let callable = try pop()
    guard case .global(let global) = callable else {
      throw input.fault("a call of \(callable.kindName) is refused")
    }
    switch global {
    case .orderedDict:
      guard arguments.isEmpty else {
        throw input.fault("OrderedDict with \(arguments.count) arguments, expected none")
      }
      push(.dict, [])
    case .rebuildTensor: try rebuildTensor(arguments)
    case .rebuildParameter:
      // (data, requires_grad, backward_hooks)
      guard arguments.count == 3, case .tensor(let index) = arguments[0] else {
        throw input.fault("_rebuild_parameter: expected a tensor and two more arguments")
      }
      stack.append(.tensor(index))
    case .storage: throw input.fault("a call of a storage type is refused")
    }
  }

  /// `(storage, offset, shape, strides, requires_grad, backward_hooks[, metadata])`.
  private mutating func rebuildTensor(_ arguments: [PickleItem]) throws(FormatError) {
    guard (6...7).contains(arguments.count), case .storage(let index) = arguments[0],
      case .int(let offset) = arguments[1]
    else {
      throw input.fault(
        "_rebuild_tensor_v2: expected (storage, offset, shape, strides, requires_grad, hooks), "
          + "found (" + arguments.prefix(8).map(\.kindName).joined(separator: ", ") + ")")
    }
    let shape = try integers(arguments[2], "the shape of a tensor")
    let strides = try integers(arguments[3], "the strides of a tensor")
    do throws(TorchTensor.InvalidView) {
      tensors.append(
        try TorchTensor(
          storage: storages[index], offset: offset, shape: shape, strides: strides))
    } catch {
      throw input.fault("a tensor cannot be: \(error.message)")
    }
    stack.append(.tensor(tensors.count - 1))
  }

  /// Attributes of a dict, such as the `_metadata` of a state dict, are read and forgotten.
  private mutating func build() throws(FormatError) {
    let state = try pop()
    guard case .object(let attributes) = state, heap[attributes].kind == .dict,
      stack.count > floor, case .object(let target)? = stack.last, heap[target].kind == .dict
    else {
      throw input.fault("attributes are only read for a dict and from a dict")
    }
  }
}

/// Turns the heap of the machine into values, each container once.
struct PickleBuilder {
  private enum Progress {
    case untouched
    case open
    case done(PickleValue, height: Int, size: Int)
  }

  private let heap: [PickleObject]
  private let tensors: [TorchTensor]
  private let path: String
  private var progress: [Progress]

  init(heap: [PickleObject], tensors: [TorchTensor], path: String) {
    self.heap = heap
    self.tensors = tensors
    self.path = path
    progress = Array(repeating: .untouched, count: heap.count)
  }

  private func fault(_ message: String) -> FormatError { FormatError(path, "data.pkl", message) }

  /// The value of the root item.
  mutating func value(_ item: PickleItem) throws(FormatError) -> PickleValue {
    try build(item, depth: 0).value
  }

  private typealias Built = (value: PickleValue, height: Int, size: Int)

  private mutating func build(_ item: PickleItem, depth: Int) throws(FormatError) -> Built {
    switch item {
    case .none: return (.none, 0, 1)
    case .bool(let value): return (.bool(value), 0, 1)
    case .int(let value): return (.int(value), 0, 1)
    case .float(let value): return (.float(value), 0, 1)
    case .string(let value): return (.string(value), 0, 1)
    case .tensor(let index): return (.tensor(tensors[index]), 0, 1)
    case .storage, .global: throw fault("\(item.kindName) stands where a value is expected")
    case .object(let index): return try container(index, depth: depth)
    }
  }

  private mutating func container(_ index: Int, depth: Int) throws(FormatError) -> Built {
    switch progress[index] {
    case .done(let value, let height, let size): return (value, height, size)
    case .open: throw fault("a container holds itself")
    case .untouched: break
    }
    guard depth < Pickle.maximumDepth else {
      throw fault("containers are nested deeper than \(Pickle.maximumDepth)")
    }
    progress[index] = .open
    let object = heap[index]
    var height = 1
    var size = 1
    var values: [PickleValue] = []
    values.reserveCapacity(object.items.count)
    for item in object.items {
      let built = try build(item, depth: depth + 1)
      height = max(height, built.height + 1)
      size += built.size
      guard height <= Pickle.maximumDepth, size <= Pickle.maximumValues else {
        throw fault(
          "containers are nested deeper than \(Pickle.maximumDepth) or expand to more than "
            + "\(Pickle.maximumValues) values")
      }
      values.append(built.value)
    }
    let value: PickleValue =
      switch object.kind {
      case .list: .list(values)
      case .tuple: .tuple(values)
      case .dict: .dict(members(values))
      }
    progress[index] = .done(value, height: height, size: size)
    return (value, height, size)
  }

  /// Pairs keys and values; of equal keys the last value counts, at the place of the first.
  private func members(_ values: [PickleValue]) -> [PickleValue.Member] {
    var result: [PickleValue.Member] = []
    var places: [PickleValue.Key: Int] = [:]
    for at in stride(from: 0, to: values.count - 1, by: 2) {
      let key: PickleValue.Key
      switch values[at] {
      case .string(let text): key = .string(text)
      case .int(let number): key = .int(number)
      default: continue  // The machine has refused other keys.
      }
      let member = PickleValue.Member(key: key, value: values[at + 1])
      if let place = places[key] {
        result[place] = member
      } else {
        places[key] = result.count
        result.append(member)
      }
    }
    return result
  }
}
