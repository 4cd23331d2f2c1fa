import MoscIR
import MoscReport

/// Keeps the module of a compilation that fails, so that the failure can be had again and reduced.
package struct Reproducer {
  private let path: String?

  /// - Parameter path: where the module goes; nil for nowhere.
  package init(_ path: String?) { self.path = path }

  /// Runs a compilation; what it throws is written down with the module.
  package func watching<T>(_ module: Module, _ body: () throws -> T) throws -> T {
    guard let path else { return try body() }
    let output = try OutputFile(path)
    do {
      return try body()
    } catch let error as CommandError where error == .interrupted {
      throw error
    } catch {
      let reason = String(describing: error).split(separator: "\n").map { "// \($0)\n" }.joined()
      try output.write(
        "// \(Version.text)\n// mosc compile \(path) --emit=llvm fails:\n" + reason
          + Printer.print(module))
      throw error
    }
  }
}
