import MoscFormats
import MoscIR

/// Low-rank changes of a component's layers.
package struct LayerAdapter: Sendable {
  /// The declaration that their factors come from.
  package var source: String
  /// What the factors' names begin with.
  package var prefix: String
  /// The ranks by path of the layer.
  package var ranks: [String: Int]
}

/// What training changes: these tensors are inputs of a function, not weights of a file.
package enum TrainedTensors: Hashable, Sendable {
  case none
  /// The low-rank factors of adapters, and the rows of added tokens.
  case adapters
  /// All weights of the files.
  case weights
}

/// The tensors of one component's weights files, and which of them the networks have read.
///
/// Every tensor must be read or explained: `weight` fails for a missing or mis-shaped tensor,
/// `finish` for one that nothing read.
package struct Checkpoint: Sendable {
  /// The files in the order of their declaration.
  package let declarations: [WeightsDeclaration]
  /// The tensors by name; nil for a checkpoint that only records what networks ask for.
  package let tensors: [String: StoredTensor]?
  /// Other names under which files hold a tensor.
  package let spellings: [Spelling]
  /// Tensors that may stay unread.
  package let explained: [ExplainedTensor]
  /// What the layers are changed by.
  package var adapters: [LayerAdapter] = []
  /// The number of token rows that follow the vocabulary's.
  package var addedTokens = 0
  /// What is read from inputs, because training changes it in every step.
  package var trained = TrainedTensors.none
  /// The inputs that stand for trained tensors, in the order in which networks asked for them.
  package private(set) var trainedInputs: [ValueID] = []
  /// The layers, by path, whose inputs' second moments become results of the function.
  package var measured: Set<String> = []
  /// Rows whose products are added in f32, see `Gram`.
  package var momentChunk = 1
  /// The moments so far; layers that read the same value share them.
  package private(set) var moments: [(input: ValueID, sum: ValueID, layers: [String])] = []
  /// The canonical names and shapes asked for so far.
  package private(set) var expected: [String: [Int]] = [:]
  /// The names in the file that were read.
  private var read: Set<String> = []
  /// The names in the file that will be read, as far as that is known.
  private var planned: Set<String> = []

  /// A checkpoint over the tables of its files.
  package init(
    _ tensors: [String: StoredTensor], declarations: [WeightsDeclaration],
    spellings: [Spelling] = [], explained: [ExplainedTensor] = []
  ) {
    self.tensors = tensors
    self.declarations = declarations
    self.spellings = spellings
    self.explained = explained
  }

  /// A checkpoint without files: it accepts every request as f32 and records it.
  package init(recording source: String) {
    tensors = nil
    declarations = [WeightsDeclaration(name: source, path: "")]
    spellings = []
    explained = []
  }

  /// Appends the branches of all adapters that change a layer, after its own output.
  ///
  /// - Parameters:
  ///   - base: the layer's output.
  ///   - input: its input.
  package mutating func adapted(
    _ base: ValueID, input: ValueID, _ path: String, stride: Int = 1, pad: Int = 0,
    in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    if measured.contains(path) { try measure(input, path, in: &graph) }
    guard let shape = expected["\(path).weight"] else { return base }
    var result = base
    for adapter in adapters {
      guard let rank = adapter.ranks[path] else { continue }
      let ones = [Int](repeating: 1, count: shape.count - 2)
      let prefix = "\(adapter.prefix).\(path)"
      let down = try factor(
        "\(prefix).lora_down", adapter, TensorType(.f32, [rank] + shape.dropFirst()),
        name: "\(path).\(adapter.source).down", in: &graph)
      let up = try factor(
        "\(prefix).lora_up", adapter, TensorType(.f32, [shape[0], rank] + ones),
        name: "\(path).\(adapter.source).up", in: &graph)
      let scale = try graph.param(
        "\(prefix).scale", in: adapter.source, .f32(1),
        name: "\(path).\(adapter.source).scale")
      result = try graph.lora(
        result, input: input, down: down, up: up, scale: scale, stride: stride, pad: pad,
        name: "\(path).\(adapter.source)")
    }
    return result
  }

  /// Sums up what a layer reads.
  private mutating func measure(
    _ input: ValueID, _ path: String, in graph: inout Graph
  ) throws(Diagnostic) {
    if let index = moments.firstIndex(where: { $0.input == input }) {
      moments[index].layers.append(path)
    } else {
      moments.append((input, try graph.gram(input, chunk: momentChunk), [path]))
    }
  }

  private mutating func factor(
    _ stored: String, _ adapter: LayerAdapter, _ type: TensorType, name: String,
    in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    guard trained == .adapters else {
      return try graph.param(stored, in: adapter.source, type, name: name)
    }
    return input(stored, type, in: &graph)
  }

  /// The rows of the added tokens, `[n, width]`.
  package mutating func tokenRows(
    width: Int, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (name, type) = (AdapterSet.rowsName, TensorType.f32(addedTokens, width))
    guard trained == .adapters else {
      return try graph.param(name, in: AdapterSet.rowsDeclaration.name, type, name: name)
    }
    return input(name, type, in: &graph)
  }

  private mutating func input(
    _ name: String, _ type: TensorType, in graph: inout Graph
  ) -> ValueID {
    let id = graph.parameter(name, type)
    trainedInputs.append(id)
    return id
  }

  /// The files' paths as error messages name them.
  package var place: String { declarations.map(\.path).joined(separator: ", ") }

  /// The number of elements of everything asked for so far.
  package var expectedParameters: Int {
    expected.values.reduce(0) { $0 + $1.reduce(1, *) }
  }

  /// Tells which canonical names will be asked for, so that an error does not propose a name that
  /// has its own use.
  package mutating func anticipate(_ canonical: some Sequence<String>) {
    for name in canonical { planned.formUnion(names(name)) }
  }

  /// Appends the `param` of a tensor, as f32: a half-precision one gets a `cast`.
  ///
  /// A linear weight `[o,i]` is also accepted as a 1×1 convolution `[o,i,1,1]`, as old attention
  /// blocks store it.
  /// - Errors: `weights.missing`, `weights.shape`, `weights.dtype`.
  package mutating func weight(
    _ name: String, _ shape: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    expected[name] = shape
    guard let tensors else {
      let source = declarations.first?.name ?? "weights"
      return try graph.param(name, in: source, TensorType(.f32, shape), name: name)
    }
    guard let (stored, tensor) = find(name, in: tensors) else {
      throw missing(name, shape, tensors)
    }
    read.insert(stored)
    let isPointwise = shape.count == 2 && tensor.shape == shape + [1, 1]
    guard tensor.shape == shape || isPointwise else {
      throw Diagnostic(
        "weights.shape",
        "\(path(of: tensor)): tensor '\(stored)' has shape \(tensor.shape), expected \(shape)")
    }
    guard let dtype = DType(stored: tensor.dtype) else {
      throw Diagnostic(
        "weights.dtype",
        "\(path(of: tensor)): tensor '\(stored)' is \(tensor.dtype.rawValue), expected F32, F16 or BF16"
      )
    }
    if trained == .weights { return input(name, TensorType(.f32, shape), in: &graph) }
    let isPlain = dtype == .f32 && !isPointwise
    var value = try graph.param(
      stored, in: tensor.source, TensorType(dtype, tensor.shape),
      name: isPlain ? name : "\(name).stored")
    if dtype != .f32 {
      value = try graph.cast(value, to: .f32, name: isPointwise ? nil : name)
    }
    return isPointwise ? try graph.reshape(value, to: shape, name: name) : value
  }

  /// Checks that every tensor was read or is explained.
  ///
  /// - Errors: `weights.unused` naming up to ten tensors, each with the nearest expected name.
  package func finish() throws(Diagnostic) {
    guard let tensors else { return }
    let excused = Set(explained.flatMap { names($0.name) })
    let unused = tensors.keys.filter { !read.contains($0) && !excused.contains($0) }.sorted()
    guard let first = unused.first, let tensor = tensors[first] else { return }
    let hints = unused.prefix(10).map { name in
      let nearest = NearestName.suggest(name, in: expected.keys.sorted())
      return "'\(name)': "
        + (nearest.map { "the nearest expected name is '\($0)'" } ?? "no expected name is near")
    }
    let rest = unused.count > 10 ? ["and \(unused.count - 10) more"] : []
    throw Diagnostic(
      "weights.unused",
      "\(path(of: tensor)): \(unused.count) of \(tensors.count) tensors do not belong to the "
        + "network that the config describes, the first is '\(first)'",
      notes: hints + rest)
  }

  /// Tensors of the files that no network reads, with the reason.
  package var unreadByDesign: [ExplainedTensor] {
    explained.filter { entry in names(entry.name).contains { tensors?[$0] != nil } }
  }

  /// The name under which the files hold a tensor; nil when they do not.
  package func storedName(_ canonical: String) -> String? {
    tensors.flatMap { find(canonical, in: $0)?.0 }
  }

  private func names(_ name: String) -> [String] {
    [name] + spellings.compactMap { $0.applied(to: name) }
  }

  private func find(
    _ name: String, in tensors: [String: StoredTensor]
  ) -> (String, StoredTensor)? {
    for candidate in names(name) {
      if let tensor = tensors[candidate] { return (candidate, tensor) }
    }
    return nil
  }

  private func missing(
    _ name: String, _ shape: [Int], _ tensors: [String: StoredTensor]
  ) -> Diagnostic {
    let unread = tensors.keys.filter { !read.contains($0) && !planned.contains($0) }
    let nearest = NearestName.suggest(name, in: unread.sorted()).flatMap { key in
      tensors[key].map { "the nearest unread name is '\(key)', \($0)" }
    }
    return Diagnostic(
      "weights.missing",
      "\(place): no tensor '\(name)', expected with shape \(shape); "
        + (nearest ?? "no unread name is near"))
  }

  private func path(of tensor: StoredTensor) -> String {
    declarations.first { $0.name == tensor.source }?.path ?? tensor.source
  }
}

extension DType {
  /// The float type that weights of a file may be stored in.
  init?(stored: ElementType) {
    switch stored {
    case .f32: self = .f32
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .f64, .i64, .i32, .i16, .i8, .u8, .bool: return nil
    }
  }
}
