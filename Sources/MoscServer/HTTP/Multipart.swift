import Foundation

/// A body of type `multipart/form-data`. Source: RFC 7578, RFC 2046 section 5.1.
package struct Multipart: Sendable {
  /// A field of the form.
  package struct Part: Sendable {
    package var name: String
    package var fileName: String?
    package var data: Data

    /// The part as text.
    package var text: String { String(decoding: data, as: UTF8.self) }
  }

  package let parts: [Part]

  package static let mostParts = 20
  private static let mostHeaderBytes = 4096

  /// - Throws: `APIError` for a body that is not of the form.
  package init(_ data: Data, contentType: String) throws {
    let boundary = try Self.boundary(contentType)
    let delimiter = Data("--\(boundary)".utf8)
    guard let first = data.range(of: delimiter) else { throw Self.fault("the boundary is not in the body") }
    var parts: [Part] = []
    var place = first.upperBound
    let next = Data("\r\n--\(boundary)".utf8)
    while true {
      let rest = data[place...]
      if rest.starts(with: Data("--".utf8)) { break }
      guard let line = rest.range(of: Data("\r\n".utf8)), rest[..<line.lowerBound].allSatisfy({ $0 == 0x20 || $0 == 0x09 })
      else { throw Self.fault("a boundary is not followed by a line") }
      // A part without headers begins with an empty line at once.
      guard let end = data[line.upperBound...].range(of: next) else { throw Self.fault("a part does not end") }
      guard parts.count < Self.mostParts else { throw Self.fault("more than \(Self.mostParts) parts") }
      parts.append(try Self.part(data[line.upperBound..<end.lowerBound]))
      place = end.upperBound
    }
    self.parts = parts
  }

  private static func fault(_ message: String) -> APIError {
    APIError(400, "not multipart/form-data: \(message)", kind: "invalid_body")
  }

  private static func boundary(_ contentType: String) throws -> String {
    for field in contentType.split(separator: ";").dropFirst() {
      let pair = field.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, pair[0].trimmingCharacters(in: .whitespaces).lowercased() == "boundary" else { continue }
      let text = pair[1].trimmingCharacters(in: CharacterSet(charactersIn: " \"\t"))
      guard (1...70).contains(text.utf8.count) else { break }
      return text
    }
    throw fault("the content type names no boundary")
  }

  private static func part(_ data: Data) throws -> Part {
    guard let blank = data.range(of: Data("\r\n\r\n".utf8)), data.distance(from: data.startIndex, to: blank.lowerBound) <= mostHeaderBytes
    else { throw fault("a part has no headers") }
    let headers = String(decoding: data[..<blank.lowerBound], as: UTF8.self)
    for line in headers.components(separatedBy: "\r\n") {
      guard line.lowercased().hasPrefix("content-disposition:") else { continue }
      guard let name = parameter("name", of: line) else { break }
      return Part(name: name, fileName: parameter("filename", of: line), data: Data(data[blank.upperBound...]))
    }
    throw fault("a part has no name")
  }

  private static func parameter(_ name: String, of line: String) -> String? {
    for field in line.split(separator: ";").dropFirst() {
      let pair = field.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, pair[0].trimmingCharacters(in: .whitespaces).lowercased() == name else { continue }
      return pair[1].trimmingCharacters(in: CharacterSet(charactersIn: " \"\t"))
    }
    return nil
  }

  /// The first part of a name.
  package subscript(name: String) -> Part? { parts.first { $0.name == name } }
}
