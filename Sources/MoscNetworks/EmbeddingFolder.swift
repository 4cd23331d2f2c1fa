import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport

/// Embeddings of textual inversion by the names of their files, as prompts name them.
package enum EmbeddingFolder {
  private static let endings = ["safetensors", "pt", "bin", "pth"]

  /// The embeddings of a folder that texts name.
  ///
  /// - Throws: for `embedding:name` without such a file.
  package static func requests(_ folder: String?, for texts: [String]) throws -> [AdapterRequest] {
    let wanted = texts.flatMap(PromptWord.embeddings)
    guard let folder else {
      guard let first = wanted.first else { return [] }
      throw CommandError.usage(
        "the prompt asks for the embedding '\(first)'; say where embeddings are with --embd-dir")
    }
    var files: [(stem: String, path: String)] = []
    for name in try namesInFolder(URL(fileURLWithPath: folder)) {
      let url = URL(fileURLWithPath: folder).appending(path: name)
      let stem = url.deletingPathExtension().lastPathComponent
      guard endings.contains(url.pathExtension.lowercased()),
        !files.contains(where: { $0.stem.lowercased() == stem.lowercased() })
      else { continue }
      files.append((stem, url.path))
    }
    for name in wanted where !files.contains(where: { $0.stem.lowercased() == name.lowercased() }) {
      let nearest = NearestName.suggest(name, in: files.map(\.stem))
      throw CommandError.failure(
        "'\(folder)' has no embedding '\(name)'" + (nearest.map { ", did you mean '\($0)'?" } ?? ""))
    }
    return files.filter { file in texts.contains { PromptWord.occurs(file.stem, in: $0) } }
      .map { file in
        var request = AdapterRequest(path: file.path)
        request.word = file.stem
        return request
      }
  }
}
