import MoscModel
import MoscNetworks

/// Where a program comes from.
package enum ProgramSource: Hashable, Sendable, CustomStringConvertible {
  /// A network of the model.
  case component(ComponentKind)
  /// A `.mos` file; `-` for standard input.
  case file(String)

  /// Reads the name of a component or file; nil for anything else.
  package init?(spelling: String) {
    if let component = ComponentKind(rawValue: spelling) {
      self = .component(component)
    } else if spelling.hasSuffix(".mos") || spelling == "-" {
      self = .file(spelling)
    } else {
      return nil
    }
  }

  /// What can be given.
  package static var spellings: [String] { ComponentKind.allCases.map(\.rawValue) + ["FILE.mos"] }

  package var description: String {
    switch self {
    case .component(let component): component.rawValue
    case .file(let path): path
    }
  }
}
