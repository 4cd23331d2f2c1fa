import MoscIR
import MoscLLVM

/// Keeps the module of a compilation that fails, so that the failure can be had again and reduced.
struct Reproducer {
  private let path: String?

  /// - Parameter path: where the module goes; nil for nowhere.
  init(_ path: String?) { self.path = path }

  /// Runs a compilation; what it throws is written down with the module.
  func watching<T>(_ module: Module, _ body: () throws -> T) throws -> T {
    guard let path else { return try body() }
    let output = try OutputFile(path)
    do {
      return try body()
    } catch let error as DriverError where error == .interrupted {
      throw error
    } catch {
      let reason = String(describing: error).split(separator: "\n").map { "// \($0)\n" }.joined()
      try output.write(
        "// \(Doctor.versionText)\n// mosc compile \(path) --emit=llvm fails:\n" + reason
          + Printer.print(module))
      throw error
    }
  }
}

extension OptimisationLevel {
  /// What LLVM does at this level.
  var code: CodeLevel {
    switch self {
    case .none: .none
    case .fused, .usual: .lean
    case .full: .full
    }
  }
}
