import Foundation
import MoscReport

/// Who may use the server: HTTP Basic, or the password as a bearer token, as clients of both APIs send it.
struct Credentials: Sendable {
  private let pairs: [(user: String, password: String)]

  /// - Parameter text: `user:password[,user2:password2]`; nil for everybody.
  init(_ text: String?) throws {
    pairs = try (text?.split(separator: ",", omittingEmptySubsequences: false) ?? []).map { pair in
      let parts = pair.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw CommandError.usage("--api-auth: expected user:password, several separated by commas")
      }
      return (String(parts[0]), String(parts[1]))
    }
  }

  var areNeeded: Bool { !pairs.isEmpty }

  /// Whether the value of an `authorization` header lets somebody in.
  func accept(_ header: String?) -> Bool {
    guard areNeeded else { return true }
    guard let header, let blank = header.firstIndex(of: " ") else { return false }
    let value = header[header.index(after: blank)...].trimmingCharacters(in: .whitespaces)
    switch header[..<blank].lowercased() {
    case "basic":
      guard let data = Data(base64Encoded: value) else { return false }
      let text = String(decoding: data, as: UTF8.self)
      return pairs.reduce(false) { Self.areEqual("\($1.user):\($1.password)", text) || $0 }
    case "bearer":
      return pairs.reduce(false) {
        Self.areEqual($1.password, value) || Self.areEqual("\($1.user):\($1.password)", value) || $0
      }
    default: return false
    }
  }

  /// Compares in a time that does not tell how much of the text was right.
  private static func areEqual(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var difference = UInt8(a.count == b.count ? 0 : 1)
    for index in a.indices { difference |= a[index] ^ (index < b.count ? b[index] : 0) }
    return difference == 0
  }
}
