import Foundation
import MoscFormats
import MoscIR
import MoscModel
import TestSupport

/// A config reader over JSON text.
func reader(_ json: String, file: String = "config.json") throws -> ConfigReader {
  let value = try JSONValue.parse(json.utf8, path: file)
  return ConfigReader(JSONObject(path: file, members: value.members ?? []))
}

/// The golden base model.
func goldenBase() throws -> DiffusersModel {
  try DiffusersModel(at: Goldens.url("mix-of-show/base"))
}

/// The tensors of a golden file as a network's weights.
func weights(_ file: SafetensorsFile, _ spellings: [Spelling] = []) -> NetworkWeights {
  let tensors = Dictionary(
    uniqueKeysWithValues: file.entries.map {
      ($0.name, StoredTensor(dtype: $0.dtype, shape: $0.shape, source: "golden"))
    })
  return NetworkWeights(
    WeightTable(
      tensors, declarations: [WeightsDeclaration(name: "golden", path: file.url.path)],
      spellings: spellings))
}

extension SafetensorsFile {
  /// A tensor in its own layout.
  func tensor(_ name: String) throws -> HostTensor {
    let array = try array(name)
    let dtype: DType = array.dtype == .i64 ? .i32 : .f32
    return HostTensor(TensorType(dtype, array.shape), array.doubles)
  }

  /// An image `[n,c,h,w]` of the file as `[n,h,w,c]`.
  func image(_ name: String) throws -> HostTensor {
    let x = try tensor(name)
    let s = x.type.shape
    return HostTensor(.f32(s[0], s[2], s[3], s[1])) { x[[$0[0], $0[3], $0[1], $0[2]]] }
  }

  /// An activation in the layout of the IR: images are turned, tokens are not.
  func activation(_ name: String) throws -> HostTensor {
    try self[name]?.shape.count == 4 ? image(name) : tensor(name)
  }
}

extension Graph {
  /// The value of that name.
  func value(named name: String) -> ValueID? {
    values.indices.map { ValueID($0) }.first { self[$0].name == name }
  }

  /// The part that computes one value from given ones, which become its parameters.
  func cut(to target: String, from given: [String]) -> Graph? {
    guard let end = value(named: target) else { return nil }
    var known: [ValueID: ValueID] = [:]
    var result = Graph(name)
    for name in given {
      guard let id = value(named: name) else { return nil }
      known[id] = result.parameter(name, type(id))
    }
    func build(_ id: ValueID) -> ValueID? {
      if let done = known[id] { return done }
      guard let producer = producer(id) else { return nil }
      let node = self[producer]
      let operands = node.operands.compactMap(build)
      guard operands.count == node.operands.count else { return nil }
      let made = result.appendUnchecked(node.op, operands, types: node.results.map { type($0) })
      for (old, new) in zip(node.results, made) { known[old] = new }
      return known[id]
    }
    guard let made = build(end) else { return nil }
    result.results = [made]
    return result
  }
}

/// Runs a graph with the weights that its `param` ops name, read from golden files.
func evaluate(
  _ graph: Graph, _ inputs: [HostTensor], _ files: [String: any WeightSource]
) throws -> [HostTensor] {
  var weights: [String: [String: HostTensor]] = [:]
  for id in graph.order {
    guard case .param(let param) = graph[id].op, let file = files[param.source] else { continue }
    guard let tensor = file.weight(param.name) else {
      throw FormatError(file.place, "tensor \"\(param.name)\"", "is missing")
    }
    weights[param.source, default: [:]][param.name] = HostTensor(
      param.type, ElementType.doubles(tensor.bytes, tensor.dtype))
  }
  return try Evaluator(Module(graphs: [graph]), weights: weights).run(graph, inputs)
}

/// `‖a − b‖ / ‖b‖`, infinite when the shapes differ.
func relativeError(_ a: HostTensor, _ b: HostTensor) -> Double {
  guard a.type.shape == b.type.shape else { return .infinity }
  var difference = 0.0
  var size = 0.0
  for (x, y) in zip(a.elements, b.elements) {
    difference += (x - y) * (x - y)
    size += y * y
  }
  return (difference / size).squareRoot()
}

/// The text of what an expression throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing was thrown"
  } catch {
    return "\(error)"
  }
}
