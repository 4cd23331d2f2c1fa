/// Facts about an op that passes ask for instead of its name.
package struct Traits: OptionSet, Hashable, Sendable {
  package let rawValue: Int

  package init(rawValue: Int) { self.rawValue = rawValue }

  /// Each result element depends on the operand elements at the same (broadcast) index only.
  package static let elementwise = Traits(rawValue: 1 << 0)
  /// The result is memory of the operand: all of it in another shape, or a part.
  package static let view = Traits(rawValue: 1 << 1)
  /// Sums or maxima over some axes.
  package static let reduction = Traits(rawValue: 1 << 2)
  /// A sum of products over a shared axis with weights: linear, convolution, matmul.
  package static let contraction = Traits(rawValue: 1 << 3)
  /// The value comes from outside the graph and costs nothing: weights and constants.
  package static let source = Traits(rawValue: 1 << 4)
  /// Defined by a decomposition into simpler ops.
  package static let composite = Traits(rawValue: 1 << 5)
  /// Operand order does not matter.
  package static let commutative = Traits(rawValue: 1 << 6)
  /// Exists only in stage buffer, or calls a kernel.
  package static let structural = Traits(rawValue: 1 << 7)
}

/// The operands an op takes.
package struct Signature: Hashable, Sendable {
  /// Labels of the required operands in order; nil for unlabelled ones.
  package var required: [String?]
  /// The label of one further operand that may be absent.
  package var optional: String?
  /// Whether any number (at least one) of unlabelled operands follows.
  package var isVariadic: Bool

  package init(_ required: [String?], optional: String? = nil, isVariadic: Bool = false) {
    self.required = required
    self.optional = optional
    self.isVariadic = isVariadic
  }

  /// The label of the operand at a position.
  package func label(_ index: Int) -> String? {
    if index < required.count { return required[index] }
    return isVariadic ? nil : optional
  }

  /// Whether a statement may have this many operands.
  package func accepts(_ count: Int) -> Bool {
    if isVariadic { return count >= required.count + 1 }
    return count == required.count || (optional != nil && count == required.count + 1)
  }
}

/// The definition of one op: operands, attributes, type rule and reference evaluation.
///
/// Conforming types are structs of attributes only; operands live in the graph's nodes. Each op is
/// one file in `IR/Ops`, one case of `Op`, and one case in code generation's lowering switches. Most
/// belong to a family, which answers for them: `ElementwiseOp` (`UnaryOp`, `BinaryOp`), `MovementOp`,
/// `KernelOp` (`ReductionOp`, `TiledOp`), `StructuralOp`.
package protocol TensorOp: Hashable, Sendable {
  /// The name in the text format, in snake case.
  static var mnemonic: String { get }
  /// The operands.
  static var signature: Signature { get }
  /// Facts for passes.
  static var traits: Traits { get }
  /// The attributes in printing order.
  var attributes: [LabeledAttribute] { get }
  /// The `@name` printed after the mnemonic.
  var callee: String? { get }
  /// Reads the attributes of a parsed statement.
  init(reading reader: inout AttributeReader) throws(OpError)
  /// The operand labels of this instance; the signature's unless the op overrides it.
  func label(_ index: Int, of count: Int) -> String?
  /// The result types for operand types, or what is wrong with them.
  func inferTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType]
  /// The results in plain loops: sums in f64, each result rounded to its element type once.
  func evaluate(
    _ operands: [HostTensor], _ types: [TensorType], _ environment: EvaluationEnvironment
  ) throws(OpError) -> [HostTensor]
  /// Appends what computes the gradients of the operands from that of the result, or says why
  /// there are none; the doc comment of the op has the formula.
  func gradient(
    _ site: GradientSite, in graph: inout Graph
  ) throws(Diagnostic) -> OperandGradients

  // What passes and code generation ask before they look at names. There are no defaults here: the
  // families in `IR/Ops/Families` have them, and an op outside of all families answers itself.

  /// The kind of kernel the op makes.
  static var kernelKind: KernelKind { get }
  /// What it costs to compute the op twice.
  static var repetition: Repetition { get }
  /// What the op costs.
  func cost(_ operands: [TensorType], _ results: [TensorType]) -> OpCost
  /// The operands that a result element reads at its own index (or at 0 where their extent is 1) in
  /// the axes from `axis` on, so that these can be looped over as one; nil if there are none such.
  /// Where further operands are read in another way, these have to be parameters of the kernel.
  func alignedOperands(from axis: Int, of count: Int) -> Range<Int>?
  /// Whether operands or results may be rows of 8-bit integers.
  func acceptsQ8(_ operands: [TensorType], _ results: [TensorType]) -> Bool
}

extension TensorOp {
  package var attributes: [LabeledAttribute] { [] }
  package var callee: String? { nil }
  package func label(_ index: Int, of count: Int) -> String? { Self.signature.label(index) }

  /// The id prefix of the op's errors: its mnemonic with dashes.
  package static var errorPrefix: String {
    String(mnemonic.map { $0 == "_" ? "-" : $0 })
  }

  /// An error of this op.
  package func error(_ id: String, _ message: String) -> OpError {
    OpError("\(Self.errorPrefix).\(id)", message)
  }

  package func expectFloat(_ types: TensorType...) throws(OpError) {
    for type in types where !type.dtype.isFloat {
      throw error("dtype", "expected a floating-point operand, found \(type)")
    }
  }

  /// Checks the factors of a contraction: floats, or rows of 8-bit integers.
  package func expectFactors(_ x: TensorType, _ weight: TensorType) throws(OpError) {
    if x.dtype != .q8 { try expectFloat(x) }
    if weight.dtype != .q8 { try expectFloat(weight) }
  }

  package func expectRank(_ type: TensorType, _ rank: Int, _ what: String) throws(OpError) {
    if type.rank != rank {
      throw error("rank", "expected \(what) of rank \(rank), found \(type)")
    }
  }

  package func expectShape(_ type: TensorType, _ shape: [Int], _ what: String) throws(OpError) {
    if type.shape != shape {
      throw error("shape", "expected \(what) of shape \(shape), found \(type)")
    }
  }
}

/// What evaluation of some ops needs from outside: weights and called functions.
package struct EvaluationEnvironment {
  /// The value of a weight, or nil when there is none of that name.
  package var weight: (_ name: String, _ source: String) throws(OpError) -> HostTensor?
  /// Evaluates the function or kernel of that name.
  package var call: (_ name: String, _ operands: [HostTensor]) throws(OpError) -> [HostTensor]

  package init(
    weight: @escaping (String, String) throws(OpError) -> HostTensor?,
    call: @escaping (String, [HostTensor]) throws(OpError) -> [HostTensor]
  ) {
    self.weight = weight
    self.call = call
  }
}
