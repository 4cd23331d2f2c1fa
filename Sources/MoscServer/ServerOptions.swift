import Foundation
import MoscEngine
import MoscNetworks
import MoscReport

/// What `mosc serve` is asked for.
package struct ServerOptions: Hashable, Sendable {
  /// The address to listen on.
  package var listen = "127.0.0.1"
  /// 0 for a free one.
  package var port = 7860
  /// `user:password`, several separated by commas; nil to let everybody in.
  package var apiAuth: String?
  /// Names besides the loopback ones that requests may address the server by.
  package var allowedHosts: [String] = []
  /// The most jobs that wait.
  package var mostQueued = 64
  /// A folder of further models.
  package var models: String?
  /// Where `<lora:name>` looks and taught concepts go; nil for a folder of the outputs.
  package var loraFolder: String?
  package var embeddingFolder: String?
  /// Where pictures and jobs are kept.
  package var output = "outputs"
  /// Whether a browser is opened.
  package var opensBrowser = false
  /// The most bytes of programs with weights that stay loaded between jobs; nil for half of the memory.
  package var keptBytes: Int?
  /// The model that is there at the start.
  package var model = ModelOptions()
  package var compiler = CompilationOptions()

  package init() {}

  /// - Throws: a usage error for an option that cannot be.
  func check() throws {
    try CommandError.check("port", port, in: 0...65_535)
    try CommandError.check("max-queue", mostQueued, in: 1...100_000)
    _ = try Credentials(apiAuth)
    guard LoopbackName.contains(listen) || apiAuth != nil else {
      throw CommandError.usage(
        "--listen \(listen): others on the network could draw, teach and read pictures here; say who may with "
          + "--api-auth user:password, or listen on 127.0.0.1")
    }
    for (option, folder) in [("models", models), ("lora-dir", loraFolder), ("embd-dir", embeddingFolder)] {
      guard let folder else { continue }
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
        throw CommandError.usage("--\(option) \(folder): there is no such folder")
      }
    }
  }
}
