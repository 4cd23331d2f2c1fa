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

  /// An adapter whose layers are called as this model's are: programs that keep the names of latent-diffusion
  /// checkpoints write those.
  package func spelled(_ file: AdapterFile) throws -> AdapterFile {
    let names = LDMNames(try unet().config)
    var others: [String: String] = [:]
    for name in try requests(.unet).shapes.keys {
      guard let other = names.stored(name), let dot = other.lastIndex(of: "."),
        let end = name.lastIndex(of: ".")
      else { continue }
      let key = String(other[..<dot].replacing(".", with: "_"))
      others[key] = String(name[..<end].replacing(".", with: "_"))
    }
    return file.renamed { network, key in network == .unet ? others[key] ?? key : key }
  }
}
