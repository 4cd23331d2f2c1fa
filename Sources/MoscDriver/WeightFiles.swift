import Foundation
import MoscFormats
import MoscIR
import MoscRuntime

/// The mapped files behind the `weights` declarations of a module.
package struct WeightFiles: Sendable {
  private let files: [String: SafetensorsFile]

  /// - Parameter files: the mapped files by declaration.
  package init(_ files: [String: SafetensorsFile]) { self.files = files }

  /// Opens the files that a module declares.
  ///
  /// - Parameter folder: what relative paths start from.
  package init(_ module: Module, relativeTo folder: URL) throws {
    var files: [String: SafetensorsFile] = [:]
    for declaration in module.weights {
      files[declaration.name] = try SafetensorsFile(
        URL(fileURLWithPath: declaration.path, relativeTo: folder).absoluteURL)
    }
    self.files = files
  }

  /// The memory of a weight as it lies in its file.
  ///
  /// - Throws: when the file has no such tensor, or one of another type.
  package func memory(of weight: Param) throws -> UnsafeRawBufferPointer {
    let (file, entry) = try find(weight)
    guard entry.shape == weight.type.shape, entry.dtype == ElementType(weight.type.dtype) else {
      throw FormatError(
        file.url.path, "tensor \"\(weight.name)\"",
        "is \(entry.dtype.rawValue)\(entry.shape), the program expects \(weight.type)")
    }
    return file.bytes(of: entry)
  }

  /// Lets the system take back the pages of a weight that will not be read again soon.
  package func forget(_ weight: Param) {
    guard let (file, entry) = try? find(weight) else { return }
    file.dropPages(of: entry)
  }

  private func find(_ weight: Param) throws -> (SafetensorsFile, SafetensorsFile.Entry) {
    guard let file = files[weight.source] else {
      throw DriverError.failure("no file is declared for weights '@\(weight.source)'")
    }
    guard let entry = file[weight.name] else {
      let nearest = NearestName.suggest(weight.name, in: file.entries.map(\.name))
      throw FormatError(
        file.url.path, "tensor \"\(weight.name)\"",
        "not in the file" + (nearest.map { "; the nearest name is \"\($0)\"" } ?? ""))
    }
    return (file, entry)
  }
}

extension ElementType {
  /// The safetensors spelling of an IR element type.
  init(_ dtype: DType) {
    switch dtype {
    case .f32: self = .f32
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .i32: self = .i32
    case .u8: self = .u8
    case .i8: self = .i8
    }
  }
}
