import Foundation
import MoscFormats
import MoscIR

/// A layer of the model with all its tensors.
struct TensorGroup {
  var path: String
  /// The shapes by what stands behind the path: `weight`, `bias`.
  var shapes: [String: [Int]] = [:]
}

extension DiffusersModel {
  /// Everything that has tensors in a part, by path with `_` for `.`.
  func tensorGroups(_ component: Component) throws -> [String: TensorGroup] {
    var result: [String: TensorGroup] = [:]
    for (name, shape) in try requests(component).shapes {
      guard let dot = name.lastIndex(of: ".") else { continue }
      let path = String(name[..<dot])
      result[path.replacing(".", with: "_"), default: TensorGroup(path: path)]
        .shapes[String(name[name.index(after: dot)...])] = shape
    }
    return result
  }

  /// The numbers of a tensor in the model's files.
  func values(_ name: String, _ component: Component) throws -> [Float] {
    guard let tensor = try weights(component).tensor(name) else {
      throw FormatError(url.path, nil, "holds no tensor \"\(name)\"")
    }
    defer { tensor.file.dropPages(of: tensor.storedName) }
    return withExtendedLifetime(tensor.file) {
      ElementType.floats(tensor.stored.bytes, tensor.stored.dtype)
    }
  }
}
