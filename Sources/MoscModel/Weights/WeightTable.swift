import MoscFormats
import MoscIR

/// What networks ask of their files: names and shapes, in the order in which they are asked for.
package struct WeightRequests: Sendable {
  package private(set) var names: [String] = []
  package private(set) var shapes: [String: [Int]] = [:]

  /// The number of elements of everything asked for.
  package var parameters: Int { shapes.values.reduce(0) { $0 + $1.reduce(1, *) } }

  mutating func add(_ name: String, _ shape: [Int]) {
    if shapes.updateValue(shape, forKey: name) == nil { names.append(name) }
  }
}

/// The tensors of a network's weights files, under the names that networks use.
package struct WeightTable: Sendable {
  /// The files in the order of their declaration.
  package let declarations: [WeightsDeclaration]
  /// The tensors by their names in the files.
  package let tensors: [String: StoredTensor]
  /// Other names under which files hold a tensor.
  package let spellings: [Spelling]
  /// Tensors that may stay unread.
  package let explained: [ExplainedTensor]

  package init(
    _ tensors: [String: StoredTensor], declarations: [WeightsDeclaration],
    spellings: [Spelling] = [], explained: [ExplainedTensor] = []
  ) {
    self.tensors = tensors
    self.declarations = declarations
    self.spellings = spellings
    self.explained = explained
  }

  /// A tensor as a network may read it.
  struct Match {
    /// The name in the file.
    let name: String
    let tensor: StoredTensor
    let dtype: DType
    /// Whether a linear weight `[o,i]` is stored as a 1×1 convolution `[o,i,1,1]`.
    let isPointwise: Bool
  }

  /// The tensor of a name and shape.
  ///
  /// A linear weight `[o,i]` is also accepted as a 1×1 convolution `[o,i,1,1]`, as old attention
  /// blocks store it.
  /// - Parameter known: what is asked for besides, so that an error does not propose a name that has
  ///   its own use.
  /// - Errors: `weights.missing`, `weights.shape`, `weights.dtype`.
  func match(
    _ name: String, _ shape: [Int], besides known: WeightRequests
  ) throws(Diagnostic) -> Match {
    guard let stored = storedName(name), let tensor = tensors[stored] else {
      throw missing(name, shape, besides: known)
    }
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
    return Match(name: stored, tensor: tensor, dtype: dtype, isPointwise: isPointwise)
  }

  /// Checks that the files hold what networks ask for, and nothing else but explained tensors.
  ///
  /// - Errors: those of `match`; `weights.unused` naming up to ten tensors, each with the nearest
  ///   expected name.
  package func check(_ requests: WeightRequests) throws(Diagnostic) {
    var read = Set(explained.flatMap { names($0.name) })
    for name in requests.names {
      read.insert(try match(name, requests.shapes[name] ?? [], besides: requests).name)
    }
    let unused = tensors.keys.filter { !read.contains($0) }.sorted()
    guard let first = unused.first, let tensor = tensors[first] else { return }
    let expected = requests.names.sorted()
    let hints = unused.prefix(10).map { name in
      let nearest = NearestName.suggest(name, in: expected)
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
    explained.filter { entry in names(entry.name).contains { tensors[$0] != nil } }
  }

  /// The name under which the files hold a tensor; nil when they do not.
  package func storedName(_ name: String) -> String? {
    names(name).first { tensors[$0] != nil }
  }

  private func names(_ name: String) -> [String] {
    [name] + spellings.compactMap { $0.applied(to: name) }
  }

  private func missing(
    _ name: String, _ shape: [Int], besides known: WeightRequests
  ) -> Diagnostic {
    let planned = Set(known.names.flatMap(names))
    let unread = tensors.keys.filter { !planned.contains($0) }
    let nearest = NearestName.suggest(name, in: unread.sorted()).flatMap { key in
      tensors[key].map { "the nearest unread name is '\(key)', \($0)" }
    }
    let place = declarations.map(\.path).joined(separator: ", ")
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
    case .f64, .i64, .i32, .i16, .i8, .u8, .bool, .f8e4m3, .f8e5m2: return nil
    }
  }
}
