import Foundation
import MoscFormats
import MoscIR

/// The weights files of one part of a model.
package struct ComponentFiles: Sendable {
  /// The mapped files, one unless the weights are sharded.
  package let files: [any WeightSource]
  /// One declaration per file: the component's name, with a number when there are several.
  package let declarations: [WeightsDeclaration]
  /// How these files spell names, where not as diffusers does.
  package let spellings: [Spelling]
  /// What the names of the part's tensors begin with, in a file that holds more.
  private let prefixes: [String]

  package init(
    component: String, files: [any WeightSource], spellings: [Spelling] = [], prefixes: [String] = [""]
  ) {
    self.files = files
    self.spellings = spellings
    self.prefixes = prefixes
    declarations = files.enumerated().map { number, file in
      WeightsDeclaration(
        name: files.count == 1 ? component : "\(component)_\(number + 1)", path: file.place)
    }
  }

  /// The tensors of the part by name.
  ///
  /// - Throws: an error when two files hold the same name.
  package func tensors() throws -> [String: StoredTensor] {
    var result: [String: StoredTensor] = [:]
    for (file, declaration) in zip(files, declarations) {
      for name in file.names where prefixes.contains(where: name.hasPrefix) {
        guard let tensor = file.weight(name) else { continue }
        let stored = StoredTensor(
          dtype: tensor.dtype, shape: tensor.shape, source: declaration.name)
        if let other = result.updateValue(stored, forKey: name) {
          throw FormatError(file.place, "tensor \"\(name)\"", "is in @\(other.source) as well")
        }
      }
    }
    return result
  }

  /// The file that holds a tensor.
  package func file(of tensor: StoredTensor) -> (any WeightSource)? {
    declarations.firstIndex { $0.name == tensor.source }.map { files[$0] }
  }
}
