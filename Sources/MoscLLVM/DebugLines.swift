import CLLVM

/// Line tables (DWARF 5) for the functions of one module, which point into one source file.
///
/// Instructions get the line that is current when they are written. Call `finish` before the module
/// is verified.
package final class DebugLines {
  private let builder: IRBuilder
  private let info: LLVMDIBuilderRef
  private let file: LLVMMetadataRef?
  private var scopes: [LLVMMetadataRef?] = []
  private var line = 1

  /// - Parameters:
  ///   - file: The source's name in `folder`.
  package init(_ builder: IRBuilder, file name: String, folder: String) {
    self.builder = builder
    info = LLVMCreateDIBuilder(builder.module)
    file = LLVMDIBuilderCreateFile(info, name, name.utf8.count, folder, folder.utf8.count)
    let producer = "mosc"
    LLVMDIBuilderCreateCompileUnit(
      info, LLVMDWARFSourceLanguageC, file, producer, producer.utf8.count, 1, "", 0, 0, "", 0,
      LLVMDWARFEmissionFull, 0, 0, 0, "", 0, "", 0)
    for (flag, version) in [("Debug Info Version", LLVMDebugMetadataVersion()), ("Dwarf Version", 5)] {
      let number = LLVMConstInt(LLVMInt32TypeInContext(builder.context), UInt64(version), 0)
      LLVMAddModuleFlag(
        builder.module, LLVMModuleFlagBehaviorWarning, flag, flag.utf8.count,
        LLVMValueAsMetadata(number))
    }
  }

  deinit { LLVMDisposeDIBuilder(info) }

  /// Begins a function at the current line; instructions belong to it until `leave`.
  package func enter(_ function: LLVMFunction, name: String) {
    var types: [LLVMMetadataRef?] = []
    let type = LLVMDIBuilderCreateSubroutineType(info, file, &types, 0, LLVMDIFlagZero)
    let scope = LLVMDIBuilderCreateFunction(
      info, file, name, name.utf8.count, "", 0, file, UInt32(line), type, 0, 1, UInt32(line),
      LLVMDIFlagZero, 1)
    LLVMSetSubprogram(function.ref, scope)
    scopes.append(scope)
    locate()
  }

  /// Goes back to the function that was being written before.
  package func leave() {
    scopes.removeLast()
    locate()
  }

  /// Runs `body`, whose instructions get a line.
  package func at<T>(line: Int, _ body: () throws -> T) rethrows -> T {
    let outer = self.line
    self.line = line
    locate()
    defer {
      self.line = outer
      locate()
    }
    return try body()
  }

  private func locate() {
    guard let scope = scopes.last else { return LLVMSetCurrentDebugLocation2(builder.ref, nil) }
    LLVMSetCurrentDebugLocation2(
      builder.ref,
      LLVMDIBuilderCreateDebugLocation(builder.context, UInt32(line), 0, scope, nil))
  }

  /// Completes the tables.
  package func finish() { LLVMDIBuilderFinalize(info) }
}
