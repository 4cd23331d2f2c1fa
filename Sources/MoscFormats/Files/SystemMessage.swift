import Foundation

/// What the system says went wrong, in its own words.
package enum SystemMessage {
  /// The words for an error number, that of the last failed call unless told.
  package static func text(_ number: Int32 = errno) -> String { String(cString: strerror(number)) }
}

extension Error {
  /// The message without Foundation's type noise: the system's words where a call of the system failed.
  package var plainDescription: String {
    guard isOfFoundation else { return String(describing: self) }
    switch (self as? CocoaError)?.userInfo[NSUnderlyingErrorKey] ?? self {
    case let call as POSIXError: return SystemMessage.text(call.code.rawValue)
    case let call as NSError where call.domain == NSPOSIXErrorDomain:
      return SystemMessage.text(Int32(truncatingIfNeeded: call.code))
    default: return localizedDescription
    }
  }

  /// Whether the error is one of Foundation, which would describe itself by a dump of its fields.
  package var isOfFoundation: Bool {
    self is CocoaError || self is POSIXError || type(of: self as any Error) == NSError.self
  }
}

/// Makes a folder with those above it where they are missing.
package func makeFolder(_ url: URL) throws(FormatError) {
  do {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  } catch {
    throw FormatError(url.path, nil, "the folder cannot be made: \(error.plainDescription)")
  }
}

/// The names of what lies in a folder, in order.
package func namesInFolder(_ url: URL) throws(FormatError) -> [String] {
  do {
    return try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
  } catch {
    throw FormatError(url.path, nil, "the folder cannot be read: \(error.plainDescription)")
  }
}
