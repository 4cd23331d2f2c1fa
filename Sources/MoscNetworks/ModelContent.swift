import Foundation
import MoscFormats
import MoscModel
import MoscReport
import Synchronization

extension DiffusersModel {
  /// What tells a model from any other, part by part: the SHA-256 of all files that a part is read from.
  ///
  /// Where the folder lies and what it is called is not among it.
  package func contentHashes(
    _ components: [Component] = Component.allCases
  ) throws -> [(part: String, hash: String)] {
    var parts: [(name: String, files: [URL])] = []
    for component in components {
      let config = folder.appending(path: "\(component.rawValue)/config.json")
      parts.append((Self.title(component), [config] + (try files(component).files.map(\.url))))
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: tokenizerFolder.path).sorted()
    let words = folder.appending(path: "new_concept_cfg.json")
    parts.append(
      ("the tokenizer", names.map { tokenizerFolder.appending(path: $0) } + [words]))
    parts.append(("the scheduler", [schedulerConfig]))
    // A file that a part can do without is as good as an empty one.
    let known = parts.map { name, files in
      (name, files.filter { Self.isPlainFile($0) })
    }
    let hashes = try Self.hashes(known.flatMap(\.1))
    return known.map { name, files in
      let text = files.map { "\($0.lastPathComponent) \(hashes[$0] ?? "")" }.joined(separator: "\n")
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
    DispatchQueue.concurrentPerform(iterations: files.count) { index in
      let result = Result<String, any Error> { 
        try FileHash.sha256(of: files[index], isCancelled: { Interruption.isRequested })
      }
      results.withLock { $0[files[index]] = result }
    }
    try Interruption.check()
    return try results.withLock { $0 }.mapValues { try $0.get() }
  }
}
