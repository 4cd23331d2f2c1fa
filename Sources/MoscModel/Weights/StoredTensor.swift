import Foundation
import MoscFormats

/// A tensor of a weights file as its table describes it.
package struct StoredTensor: Hashable, Sendable {
  package var dtype: ElementType
  package var shape: [Int]
  /// The name of the declaration of its file in the IR, without `@`.
  package var source: String

  package init(dtype: ElementType, shape: [Int], source: String) {
    self.dtype = dtype
    self.shape = shape
    self.source = source
  }

  /// The number of elements.
  package var count: Int { shape.reduce(1, *) }
}

extension StoredTensor: CustomStringConvertible {
  package var description: String { "\(dtype.rawValue)\(shape)" }
}

/// Another name under which files hold a tensor: `canonical` replaced by `stored`.
package struct Spelling: Hashable, Sendable {
  /// The part of the name that current files use.
  package var canonical: String
  /// The part that other files use instead.
  package var stored: String
  /// Whether the part is the beginning of the name.
  package var isPrefix: Bool

  package init(_ canonical: String, stored: String, isPrefix: Bool = false) {
    self.canonical = canonical
    self.stored = stored
    self.isPrefix = isPrefix
  }

  /// The stored name for a canonical one, or nil when this spelling does not concern it.
  package func applied(to name: String) -> String? {
    if isPrefix {
      return name.hasPrefix(canonical) ? stored + name.dropFirst(canonical.count) : nil
    }
    guard let range = name.range(of: canonical) else { return nil }
    return name.replacingCharacters(in: range, with: stored)
  }
}

/// A name that a file may hold though no network reads it, and why.
package struct ExplainedTensor: Hashable, Sendable {
  package var name: String
  package var reason: String

  package init(_ name: String, _ reason: String) {
    self.name = name
    self.reason = reason
  }
}
