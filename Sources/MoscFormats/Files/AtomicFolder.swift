import CMapping
import Foundation

/// Writes whole folders: at any moment the old or the new one is there, complete.
package enum AtomicFolder {
  /// Fills a folder beside the wanted one, then lets it take that place; when the body throws, nothing is
  /// left behind.
  ///
  /// - Parameter mayReplace: asked last when something is in the place; throws to leave it as it is. What is
  ///   replaced is removed with everything in it.
  package static func write(
    to url: URL, mayReplace: () throws -> Void, _ fill: (URL) throws -> Void
  ) throws {
    let parent = url.deletingLastPathComponent()
    try makeFolder(parent)
    let partial = Unfinished.place(in: parent)
    try makeFolder(partial)
    let descriptor = open(partial.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(descriptor) }
    Unfinished.claim(descriptor)
    do {
      try fill(partial)
      AtomicFile.synchronise(folder: partial)
      try put(partial, in: url, mayReplace)
    } catch {
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
    AtomicFile.synchronise(folder: parent)
  }

  private static func put(_ new: URL, in place: URL, _ mayReplace: () throws -> Void) throws {
    var old = stat()
    if lstat(place.path, &old) == 0 { chmod(new.path, old.st_mode & 0o777) }
    // Takes the place of nothing and of an empty folder, never of a file or link.
    if rename(new.path, place.path) == 0 { return }
    guard errno == ENOTEMPTY || errno == EEXIST else { throw failure(place) }
    try mayReplace()
    if exchange_paths(new.path, place.path) != 0 {
      // Without that call there is a moment without the folder; what it held has a name that shows.
      let aside = place.deletingLastPathComponent()
        .appending(path: "\(place.lastPathComponent).previous-\(getpid())")
      guard rename(place.path, aside.path) == 0 else { throw failure(place) }
      guard rename(new.path, place.path) == 0 else {
        let failure = failure(place)
        rename(aside.path, place.path)
        throw failure
      }
      try? FileManager.default.removeItem(at: aside)
      return
    }
    AtomicFile.synchronise(folder: place.deletingLastPathComponent())
    try? FileManager.default.removeItem(at: new)
  }

  private static func failure(_ url: URL) -> FormatError {
    FormatError(url.path, nil, "cannot be written: \(SystemMessage.text())")
  }
}
