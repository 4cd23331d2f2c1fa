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

/// Another way in which files spell the names of tensors.
package enum Spelling: Hashable, Sendable {
  /// Part of the name that current files use, and what other files have instead.
  case part(String, stored: String)
  /// The beginning of the name that current files use, and what other files have instead.
  case prefix(String, stored: String)
  /// The names of one-file models, behind the prefix of the part.
  case ldm(LDMNames, prefix: String)

  /// The stored name for a current one, or nil when this spelling does not concern it.
  package func applied(to name: String) -> String? {
    switch self {
    case .part(let current, let stored):
      name.range(of: current).map { name.replacingCharacters(in: $0, with: stored) }
    case .prefix(let current, let stored):
      name.hasPrefix(current) ? stored + name.dropFirst(current.count) : nil
    case .ldm(let names, let prefix):
      names.stored(name).map { prefix + $0 }
    }
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
