import Foundation
import MoscEngine
import MoscFormats
import MoscReport

/// The folder that a whole model goes to. Nothing gives way to it but what an earlier fusion wrote there,
/// which a list of its files in the folder tells.
struct FullModelFolder {
  let url: URL
  private static let list = "mosc_files.json"

  /// - Throws: `CommandError.failure` when something else is there.
  init(_ path: String) throws {
    if path.isEmpty { throw CommandError.usage("the folder of --full-model is empty") }
    url = URL(fileURLWithPath: path).standardizedFileURL
    try check()
  }

  /// Writes the folder, all or nothing.
  func write(_ fill: (URL) throws -> Void) throws {
    try AtomicFolder.write(to: url, mayReplace: check) { folder in
      try fill(folder)
      let files = try Self.content(of: folder).files.map { JSONValue.string($0) }
      let value = JSONValue.object([.init("mosc", .string(Version.text)), .init("files", .array(files))])
      try AtomicFile.write(Data("\(value)\n".utf8), to: folder.appending(path: Self.list))
    }
  }

  /// Checks that nothing of others is in the place.
  private func check() throws {
    var status = stat()
    guard lstat(url.path, &status) == 0 else {
      if errno == ENOENT { return }
      throw refusal(SystemMessage.text())
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: break
    case S_IFREG: throw refusal("it is a file, expected a folder")
    case S_IFLNK: throw refusal("it is a link, expected a folder")
    default: throw refusal("it is a device or pipe, expected a folder")
    }
    let (files, folders) = try Self.content(of: url)
    if files.isEmpty, folders.isEmpty { return }
    guard files.contains(Self.list) else {
      throw refusal(
        "it holds '\((files + folders)[0])', expected nothing or what fuse --full-model wrote")
    }
    let object = try JSONObject(contentsOf: url.appending(path: Self.list))
    let own = Set(try object.strings("files") + [Self.list])
    let foreign = files.first { !own.contains($0) }
      ?? folders.first { folder in !own.contains { $0.hasPrefix("\(folder)/") } }
    if let foreign {
      throw refusal("it holds '\(foreign)', which fuse did not write; move it elsewhere")
    }
  }

  private func refusal(_ reason: String) -> CommandError {
    CommandError.failure("cannot write the model '\(url.path)': \(reason)")
  }

  /// The paths of all files and folders inside a folder, in order; links are not followed.
  private static func content(of folder: URL) throws -> (files: [String], folders: [String]) {
    var (files, folders) = ([String](), [String]())
    var open = [""]
    while let prefix = open.popLast() {
      for name in try namesInFolder(folder.appending(path: prefix)) where !Unfinished.isName(name) {
        let path = prefix + name
        var status = stat()
        let isFolder = lstat(folder.appending(path: path).path, &status) == 0
          && status.st_mode & S_IFMT == S_IFDIR
        if isFolder {
          folders.append(path)
          open.append("\(path)/")
        } else {
          files.append(path)
        }
      }
    }
    return (files.sorted(), folders.sorted())
  }
}
