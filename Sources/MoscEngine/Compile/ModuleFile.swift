import Foundation
import MoscIR
import MoscReport

/// Reads `.mos` files.
package enum ModuleFile {
  /// The verified module of a file, `-` for standard input.
  ///
  /// - Throws: every error of the text with line and caret.
  package static func read(_ path: String) throws -> Module {
    let name = path == "-" ? "<stdin>" : path
    let module = try Parser.parse(TextFile.read(path), file: name)
    try Verifier.verify(module)
    return module
  }
}
