/// Tells what a file is by its first bytes, for the refusal of a file that is something else.
package enum FileKind {
  private static let starts: [(bytes: [UInt8], what: String)] = [
    (Array("GGUF".utf8), "a GGUF file, as stable-diffusion.cpp and llama.cpp use it"),
    (
      Array("version https://git-lfs".utf8),
      "a git-lfs pointer: the file itself was not downloaded (git lfs pull)"
    ),
    (Array("PK\u{3}\u{4}".utf8), "a zip archive, which torch files are"),
    ([0x80, 0x02], "a torch file (pickle)"),
    ([0x80, 0x04], "a pickle"),
    ([0x89, 0x50, 0x4e, 0x47], "a PNG picture"), ([0xff, 0xd8, 0xff], "a JPEG picture"),
    (Array("RIFF".utf8), "a WebP picture or another RIFF file"),
    ([0x1f, 0x8b], "a gzip archive"), ([0x37, 0x7a, 0xbc, 0xaf], "a 7z archive"),
    (Array("Rar!".utf8), "a RAR archive"),
    ([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "a NumPy file"),
    ([0x89, 0x48, 0x44, 0x46], "an HDF5 file"),
  ]

  /// What the file is; nil where its first bytes do not tell.
  package static func describe(_ bytes: UnsafeRawBufferPointer) -> String? {
    if let found = starts.first(where: { bytes.starts(with: $0.bytes) }) { return found.what }
    let head = bytes.prefix(512)
    guard head.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || [0x09, 0x0a, 0x0d].contains($0) }) else {
      return head.allSatisfy { $0 == 0 } ? "zeros: the download was not finished" : nil
    }
    let text = String(decoding: head, as: UTF8.self).drop(while: \.isWhitespace)
    let page = ["<!doctype html", "<html", "<head"].contains { text.lowercased().hasPrefix($0) }
    if page {
      return "a web page: the download was refused, or needs a login"
    }
    return text.hasPrefix("{") ? "a JSON text" : "a text"
  }
}
