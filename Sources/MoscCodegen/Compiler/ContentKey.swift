import Crypto
import Foundation

/// Names for things by what they are made of.
package enum ContentKey {
  /// SHA-256 over the parts, in hexadecimal digits.
  package static func of(_ parts: [String]) -> String {
    var hash = SHA256()
    for part in parts {
      // Lengths keep different splits of the same text apart.
      hash.update(data: Data("\(part.utf8.count):".utf8))
      hash.update(data: Data(part.utf8))
    }
    return hash.finalize().map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}
