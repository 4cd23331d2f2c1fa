import Foundation
import MoscFormats
import MoscReport

/// Reads and writes the safetensors files of `run`, `--latents-in` and `--trajectory`.
package enum TensorFile {
  /// Every tensor of a file whose elements are numbers.
  ///
  /// - Throws: what is wrong with the file, naming it.
  package static func read(_ path: String) throws -> [String: HostArray] {
    let file = try SafetensorsFile(URL(fileURLWithPath: path))
    var tensors: [String: HostArray] = [:]
    for entry in file.entries { tensors[entry.name] = try file.array(entry.name) }
    return tensors
  }

  /// One tensor of a file.
  ///
  /// - Throws: when it is missing, naming the nearest name.
  package static func read(_ path: String, _ name: String) throws -> HostArray {
    try SafetensorsFile(URL(fileURLWithPath: path)).array(name)
  }

  /// The first tensor of a file that has one of the names.
  ///
  /// - Throws: when it has none, naming the nearest name to the first.
  package static func read(
    _ path: String, oneOf names: [String]
  ) throws -> (name: String, value: HostArray) {
    let file = try SafetensorsFile(URL(fileURLWithPath: path))
    let name = names.first { file[$0] != nil } ?? names[0]
    return (name, try file.array(name))
  }

  /// Writes tensors in the given order, all or nothing.
  package static func write(
    _ tensors: [(name: String, value: HostArray)], metadata: [String: String] = [:],
    to file: OutputFile
  ) throws {
    if file.isStandardOutput {
      throw CommandError.usage("tensors cannot be written to standard output; give a file")
    }
    try SafetensorsFile.write(
      tensors.map { ($0.name, $0.value.widened) }, metadata: metadata, to: file.url)
  }
}

extension HostArray {
  /// The tensor for a file: F32 or I64.
  fileprivate var widened: HostArray {
    dtype.isFloat
      ? HostArray(floats, shape: shape) : HostArray(ints.map(Int64.init), shape: shape)
  }
}
