/// An op with its attributes: the closed list of everything a graph can do.
///
/// Adding an op: a file in `IR/Ops`, a case here and in `definition` and `all`; code generation's
/// exhaustive switch then refuses to build until it is lowered.
package enum Op: Hashable, Sendable {
  // Sources
  case param(Param)
  case constant(Constant)
  // Elementwise, one operand
  case neg(Neg)
  case abs(Abs)
  case exp(Exp)
  case log(Log)
  case sqrt(Sqrt)
  case rsqrt(Rsqrt)
  case erf(Erf)
  case tanh(Tanh)
  case sin(Sin)
  case cos(Cos)
  case sigmoid(Sigmoid)
  case silu(Silu)
  case gelu(Gelu)
  case quickGelu(QuickGelu)
  case cast(Cast)
  // Elementwise, several operands
  case add(Add)
  case sub(Sub)
  case mul(Mul)
  case div(Div)
  case maximum(Maximum)
  case minimum(Minimum)
  case compare(Compare)
  case select(Select)
  // Shape and data movement
  case reshape(Reshape)
  case slice(Slice)
  case concat(Concat)
  case pad(Pad)
  case transpose(Transpose)
  case reverse(Reverse)
  case broadcast(Broadcast)
  case upsampleNearest(UpsampleNearest)
  case gather(Gather)
  case scatterAdd(ScatterAdd)
  case gram(Gram)
  case pack(Pack)
  case quantise(Quantise)
  case repack(Repack)
  // Reductions and normalisation
  case reduceSum(ReduceSum)
  case reduceMax(ReduceMax)
  case softmax(Softmax)
  case layerNorm(LayerNorm)
  case groupNorm(GroupNorm)
  case groupAffine(GroupAffine)
  // Contractions and attention
  case linear(Linear)
  case conv2d(Conv2d)
  case matmul(Matmul)
  case winogradInput(WinogradInput)
  case winogradWeight(WinogradWeight)
  case winogradConv2d(WinogradConv2d)
  case attention(Attention)
  case attentionStatistics(AttentionStatistics)
  case attentionGradient(AttentionGradient)
  case regionalAttention(RegionalAttention)
  case lora(Lora)
  case loraDown(LoraDown)
  case loraMerge(LoraMerge)
  // Model pieces
  case geglu(Geglu)
  case timestepEmbedding(TimestepEmbedding)
  case gradient(Gradient)
  // Structure
  case call(Call)
  case arena(Arena)
  case subview(Subview)
  case launch(Launch)

  /// The attributes as an op definition.
  package var definition: any TensorOp {
    switch self {
    case .param(let op): op
    case .constant(let op): op
    case .neg(let op): op
    case .abs(let op): op
    case .exp(let op): op
    case .log(let op): op
    case .sqrt(let op): op
    case .rsqrt(let op): op
    case .erf(let op): op
    case .tanh(let op): op
    case .sin(let op): op
    case .cos(let op): op
    case .sigmoid(let op): op
    case .silu(let op): op
    case .gelu(let op): op
    case .quickGelu(let op): op
    case .cast(let op): op
    case .add(let op): op
    case .sub(let op): op
    case .mul(let op): op
    case .div(let op): op
    case .maximum(let op): op
    case .minimum(let op): op
    case .compare(let op): op
    case .select(let op): op
    case .reshape(let op): op
    case .slice(let op): op
    case .concat(let op): op
    case .pad(let op): op
    case .transpose(let op): op
    case .reverse(let op): op
    case .broadcast(let op): op
    case .upsampleNearest(let op): op
    case .gather(let op): op
    case .scatterAdd(let op): op
    case .gram(let op): op
    case .pack(let op): op
    case .quantise(let op): op
    case .repack(let op): op
    case .reduceSum(let op): op
    case .reduceMax(let op): op
    case .softmax(let op): op
    case .layerNorm(let op): op
    case .groupNorm(let op): op
    case .groupAffine(let op): op
    case .linear(let op): op
    case .conv2d(let op): op
    case .matmul(let op): op
    case .winogradInput(let op): op
    case .winogradWeight(let op): op
    case .winogradConv2d(let op): op
    case .attention(let op): op
    case .attentionStatistics(let op): op
    case .attentionGradient(let op): op
    case .regionalAttention(let op): op
    case .lora(let op): op
    case .loraDown(let op): op
    case .loraMerge(let op): op
    case .geglu(let op): op
    case .timestepEmbedding(let op): op
    case .gradient(let op): op
    case .call(let op): op
    case .arena(let op): op
    case .subview(let op): op
    case .launch(let op): op
    }
  }

  /// Every op: its definition type and the case that wraps it.
  package static let all: [OpDescription] = [
    OpDescription(Param.self, Op.param),
    OpDescription(Constant.self, Op.constant),
    OpDescription(Neg.self, Op.neg),
    OpDescription(Abs.self, Op.abs),
    OpDescription(Exp.self, Op.exp),
    OpDescription(Log.self, Op.log),
    OpDescription(Sqrt.self, Op.sqrt),
    OpDescription(Rsqrt.self, Op.rsqrt),
    OpDescription(Erf.self, Op.erf),
    OpDescription(Tanh.self, Op.tanh),
    OpDescription(Sin.self, Op.sin),
    OpDescription(Cos.self, Op.cos),
    OpDescription(Sigmoid.self, Op.sigmoid),
    OpDescription(Silu.self, Op.silu),
    OpDescription(Gelu.self, Op.gelu),
    OpDescription(QuickGelu.self, Op.quickGelu),
    OpDescription(Cast.self, Op.cast),
    OpDescription(Add.self, Op.add),
    OpDescription(Sub.self, Op.sub),
    OpDescription(Mul.self, Op.mul),
    OpDescription(Div.self, Op.div),
    OpDescription(Maximum.self, Op.maximum),
    OpDescription(Minimum.self, Op.minimum),
    OpDescription(Compare.self, Op.compare),
    OpDescription(Select.self, Op.select),
    OpDescription(Reshape.self, Op.reshape),
    OpDescription(Slice.self, Op.slice),
    OpDescription(Concat.self, Op.concat),
    OpDescription(Pad.self, Op.pad),
    OpDescription(Transpose.self, Op.transpose),
    OpDescription(Reverse.self, Op.reverse),
    OpDescription(Broadcast.self, Op.broadcast),
    OpDescription(UpsampleNearest.self, Op.upsampleNearest),
    OpDescription(Gather.self, Op.gather),
    OpDescription(ScatterAdd.self, Op.scatterAdd),
    OpDescription(Gram.self, Op.gram),
    OpDescription(Pack.self, Op.pack),
    OpDescription(Quantise.self, Op.quantise),
    OpDescription(Repack.self, Op.repack),
    OpDescription(ReduceSum.self, Op.reduceSum),
    OpDescription(ReduceMax.self, Op.reduceMax),
    OpDescription(Softmax.self, Op.softmax),
    OpDescription(LayerNorm.self, Op.layerNorm),
    OpDescription(GroupNorm.self, Op.groupNorm),
    OpDescription(GroupAffine.self, Op.groupAffine),
    OpDescription(Linear.self, Op.linear),
    OpDescription(Conv2d.self, Op.conv2d),
    OpDescription(Matmul.self, Op.matmul),
    OpDescription(WinogradInput.self, Op.winogradInput),
    OpDescription(WinogradWeight.self, Op.winogradWeight),
    OpDescription(WinogradConv2d.self, Op.winogradConv2d),
    OpDescription(Attention.self, Op.attention),
    OpDescription(AttentionStatistics.self, Op.attentionStatistics),
    OpDescription(AttentionGradient.self, Op.attentionGradient),
    OpDescription(RegionalAttention.self, Op.regionalAttention),
    OpDescription(Lora.self, Op.lora),
    OpDescription(LoraDown.self, Op.loraDown),
    OpDescription(LoraMerge.self, Op.loraMerge),
    OpDescription(Geglu.self, Op.geglu),
    OpDescription(TimestepEmbedding.self, Op.timestepEmbedding),
    OpDescription(Gradient.self, Op.gradient),
    OpDescription(Call.self, Op.call),
    OpDescription(Arena.self, Op.arena),
    OpDescription(Subview.self, Op.subview),
    OpDescription(Launch.self, Op.launch),
  ]

  private static let byMnemonic = Dictionary(
    uniqueKeysWithValues: all.map { ($0.mnemonic, $0) })

  /// The description of the op of that name.
  package static func named(_ mnemonic: String) -> OpDescription? { byMnemonic[mnemonic] }

  /// The name in the text format.
  package var mnemonic: String { Swift.type(of: definition).mnemonic }

  /// The traits of the op.
  package var traits: Traits { Swift.type(of: definition).traits }

  /// The result types for operand types, or what is wrong with them.
  package func resultTypes(_ operands: [TensorType]) throws(OpError) -> [TensorType] {
    let results = try definition.inferTypes(operands)
    if let large = results.first(where: { !TensorType.isBounded($0.shape) }) {
      throw definition.error(
        "size", "\(large) is too large: expected at most \(TensorType.mostElements) elements")
    }
    guard let type = (operands + results).first(where: { $0.dtype == .q8 }) else { return results }
    if definition.acceptsQ8(operands, results) { return results }
    throw definition.error("dtype", "\(type) is a factor of contractions and nothing else")
  }
}

/// How to read an op of one kind.
package struct OpDescription: Sendable {
  package let mnemonic: String
  package let signature: Signature
  package let traits: Traits
  private let reader: @Sendable (inout AttributeReader) throws(OpError) -> Op

  init<Definition: TensorOp>(
    _ type: Definition.Type, _ wrap: @escaping @Sendable (Definition) -> Op
  ) {
    mnemonic = type.mnemonic
    signature = type.signature
    traits = type.traits
    reader = { (attributes) throws(OpError) in wrap(try Definition(reading: &attributes)) }
  }

  /// The op that the attributes describe.
  package func read(_ attributes: inout AttributeReader) throws(OpError) -> Op {
    try reader(&attributes)
  }
}
