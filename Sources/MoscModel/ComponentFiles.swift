import Foundation
import MoscFormats
import MoscIR

/// The weights files of one subfolder of a diffusers model.
package struct ComponentFiles: Sendable {
  /// The mapped files, one unless the weights are sharded.
  package let files: [SafetensorsFile]
  /// One declaration per file: the component's name, with a number when there are several.
  package let declarations: [WeightsDeclaration]

  /// Finds the weights of a component in its folder.
  ///
  /// Looks for `STEM.safetensors`, then the index of a sharded file, then the `fp16` variant;
  /// a named variant is looked for alone. Pickle files (`STEM.bin`) are not read.
  /// - Parameters:
  ///   - stem: `model` or `diffusion_pytorch_model`.
  ///   - variant: the word between stem and extension, such as `fp16`.
  package init(
    component: String, folder: URL, stem: String, variant: String? = nil
  ) throws {
    var urls: [URL] = []
    for infix in variant.map({ [".\($0)"] }) ?? ["", ".fp16"] where urls.isEmpty {
      let single = folder.appending(path: "\(stem)\(infix).safetensors")
      let index = folder.appending(path: "\(stem).safetensors.index\(infix).json")
      if FileManager.default.fileExists(atPath: single.path) {
        urls = [single]
      } else if FileManager.default.fileExists(atPath: index.path) {
        urls = try Self.shards(index)
      }
    }
    if urls.isEmpty { throw Self.nothing(folder, stem, variant) }
    var files: [SafetensorsFile] = []
    for url in urls { files.append(try SafetensorsFile(url)) }
    self.files = files
    declarations = files.enumerated().map { number, file in
      WeightsDeclaration(
        name: files.count == 1 ? component : "\(component)_\(number + 1)", path: file.url.path)
    }
  }

  /// The tensors of all files by name.
  ///
  /// - Throws: an error when two files hold the same name.
  package func tensors() throws -> [String: StoredTensor] {
    var result: [String: StoredTensor] = [:]
    for (file, declaration) in zip(files, declarations) {
      for entry in file.entries {
        let tensor = StoredTensor(
          dtype: entry.dtype, shape: entry.shape, source: declaration.name)
        if let other = result.updateValue(tensor, forKey: entry.name) {
          throw FormatError(
            file.url.path, "tensor \"\(entry.name)\"", "is in @\(other.source) as well")
        }
      }
    }
    return result
  }

  /// The files that the index of a sharded checkpoint names, in order; names must not leave the
  /// folder.
  private static func shards(_ index: URL) throws -> [URL] {
    let object = try JSONObject(contentsOf: index)
    guard let map = object["weight_map"]?.members else {
      throw object.error("weight_map", "expected an object from tensor to file name")
    }
    var names: Set<String> = []
    for member in map {
      guard let name = member.value.string, !name.contains("/"), name.hasSuffix(".safetensors")
      else {
        throw object.error(
          "weight_map.\(member.key)", "expected a .safetensors file name, found \(member.value)")
      }
      names.insert(name)
    }
    if names.isEmpty { throw object.error("weight_map", "names no file") }
    return names.sorted().map { index.deletingLastPathComponent().appending(path: $0) }
  }

  /// Says what was looked for, and what lies there instead.
  private static func nothing(_ folder: URL, _ stem: String, _ variant: String?) -> FormatError {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let wanted = variant.map { "\(stem).\($0).safetensors" } ?? "\(stem).safetensors"
    let pickles = names.filter { $0.hasSuffix(".bin") || $0.hasSuffix(".ckpt") }.sorted()
    if let pickle = pickles.first {
      return FormatError(
        folder.path, nil,
        "expected \(wanted), found \(pickle); pickled weights are not supported, convert them to "
          + "safetensors")
    }
    let others = names.filter { $0.hasSuffix(".safetensors") }.sorted()
    return FormatError(
      folder.path, nil,
      "expected \(wanted), found "
        + (others.isEmpty ? "no weights" : others.joined(separator: ", ")))
  }
}
