import Foundation

/// A JSON object with the file it came from, for reading configurations with good errors.
package struct JSONObject: Sendable {
  package let path: String
  package let members: [JSONValue.Member]

  package init(path: String, members: [JSONValue.Member]) {
    self.path = path
    self.members = members
  }

  /// Reads a file that holds one JSON object.
  package init(contentsOf url: URL) throws(FormatError) {
    let bytes = try readFile(url)
    let value = try JSONValue.parse(bytes, path: url.path)
    guard let members = value.members else {
      throw FormatError(url.path, nil, "expected a JSON object, found \(value.kindName)")
    }
    self.init(path: url.path, members: members)
  }

  /// The value of a key, or nil when it is absent or null.
  package subscript(key: String) -> JSONValue? {
    guard let value = members.first(where: { $0.key == key })?.value, value != .null else {
      return nil
    }
    return value
  }

  /// An error about a key.
  package func error(_ key: String, _ message: String) -> FormatError {
    FormatError(path, "key \"\(key)\"", message)
  }

  private func read<T>(
    _ key: String, _ what: String, _ fallback: T?, _ convert: (JSONValue) -> T?
  ) throws(FormatError) -> T {
    guard let value = self[key] else {
      guard let fallback else { throw error(key, "expected \(what), found nothing") }
      return fallback
    }
    guard let result = convert(value) else {
      throw error(key, "expected \(what), found \(value.kindName)")
    }
    return result
  }

  /// An integer; the default stands for an absent key.
  package func int(_ key: String, default fallback: Int? = nil) throws(FormatError) -> Int {
    try read(key, "an integer", fallback, \.int)
  }

  /// A number; the default stands for an absent key.
  package func double(_ key: String, default fallback: Double? = nil) throws(FormatError) -> Double
  {
    try read(key, "a number", fallback, \.double)
  }

  /// A boolean; the default stands for an absent key.
  package func bool(_ key: String, default fallback: Bool? = nil) throws(FormatError) -> Bool {
    try read(key, "true or false", fallback, \.bool)
  }

  /// A string; the default stands for an absent key.
  package func string(_ key: String, default fallback: String? = nil) throws(FormatError) -> String
  {
    try read(key, "a string", fallback, \.string)
  }

  /// A list of integers; the default stands for an absent key.
  package func ints(_ key: String, default fallback: [Int]? = nil) throws(FormatError) -> [Int] {
    try read(key, "a list of integers", fallback) { value in
      guard let list = value.array else { return nil }
      let numbers = list.compactMap(\.int)
      return numbers.count == list.count ? numbers : nil
    }
  }

  /// A list of strings; the default stands for an absent key.
  package func strings(
    _ key: String, default fallback: [String]? = nil
  ) throws(FormatError) -> [String] {
    try read(key, "a list of strings", fallback) { value in
      guard let list = value.array else { return nil }
      let texts = list.compactMap(\.string)
      return texts.count == list.count ? texts : nil
    }
  }
}

/// The bytes of a file, or an error that says why they cannot be read.
package func readFile(_ url: URL) throws(FormatError) -> Data {
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
    throw FormatError(url.path, nil, "there is no such file")
  }
  if isFolder.boolValue { throw FormatError(url.path, nil, "expected a file, found a folder") }
  do {
    return try Data(contentsOf: url)
  } catch {
    throw FormatError(url.path, nil, "cannot be read: \(error.plainDescription)")
  }
}
