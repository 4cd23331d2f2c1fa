import Foundation

/// Compiled kernels that all tests of a process share: most compile the same small networks.
package enum SharedKernels {
  /// The folder of their kernel cache, which is removed when the process ends.
  package static let folder: String = {
    let url = FileManager.default.temporaryDirectory.appending(path: "mosc-kernels-\(UUID().uuidString)")
    atexit { try? FileManager.default.removeItem(atPath: SharedKernels.folder) }
    return url.path
  }()
}
