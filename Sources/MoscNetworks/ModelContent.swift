import Foundation
import MoscFormats
import MoscModel
import MoscReport
import Synchronization

extension DiffusersModel {
  /// What tells a model from any other, part by part: the SHA-256 of configurations and of all files
  /// that a part is read from.
  ///
  /// Where the files lie and what their folders are called is not among it.
  package func contentHashes(
    _ components: [Component] = Component.allCases
  ) throws -> [(part: String, hash: String)] {
    var parts: [(name: String, config: [JSONValue.Member], files: [URL])] = []
    for component in components {
      let files = try files(component).files.map { URL(filePath: $0.place) }
      parts.append((Self.title(component), try layout.config(component).members, files))
    }
    let tokenizer = try layout.tokenizerFolder()
    let names = try namesInFolder(tokenizer).sorted().map { tokenizer.appending(path: $0) }
    let words = try layout.conceptWords()?.members ?? []
    parts.append(("the tokenizer", words, names.filter { Self.isPlainFile($0) }))
    parts.append(("the scheduler", try layout.schedulerConfig()?.members ?? [], []))
    // A file of several parts is read once.
    let hashes = try Self.hashes(Array(Set(parts.flatMap(\.files))))
    return parts.map { name, config, files in
      let lines = files.map { "\($0.lastPathComponent) \(hashes[$0] ?? "")" }
      let text = (["\(JSONValue.object(config))"] + lines).joined(separator: "\n")
      return (name, FileHash.sha256(Data(text.utf8)))
    }
  }

  private static func title(_ component: Component) -> String {
    switch component {
    case .textEncoder: "the text encoder"
    case .unet: "the U-Net"
    case .vae: "the autoencoder"
    }
  }

  private static func isPlainFile(_ url: URL) -> Bool {
    var status = stat()
    return stat(url.path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_size > 0
  }

  /// The hashes of files, of several at a time: of a large model they take seconds.
  private static func hashes(_ files: [URL]) throws -> [URL: String] {
    let results = Mutex([URL: Result<String, any Error>]())
    let isCancelled = Interruption.question
    DispatchQueue.concurrentPerform(iterations: files.count) { index in
      let result = Result<String, any Error> { 
        try FileHash.sha256(of: files[index], isCancelled: isCancelled)
      }
      results.withLock { $0[files[index]] = result }
    }
    try Interruption.check()
    return try results.withLock { $0 }.mapValues { try $0.get() }
  }
}
