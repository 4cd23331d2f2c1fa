import Foundation

/// A folder that goes away with the test.
package final class Scratch {
  package let url: URL

  package init() {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("mosc-\(UUID().uuidString)")
    try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The path of a file in it.
  package func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  /// The names of the files in it.
  package var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) ?? []
  }

  /// Writes a text and returns its place.
  @discardableResult package func write(_ name: String, _ text: String) throws -> URL {
    try write(name, Data(text.utf8))
  }

  /// Writes bytes, making the folders on the way, and returns their place.
  @discardableResult package func write(_ name: String, _ data: Data) throws -> URL {
    let place = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: place)
    return place
  }
}
