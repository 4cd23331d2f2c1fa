import Foundation
import MoscIR
import MoscLLVM

/// The text of a kernel as code is generated from it: the file that debuggers show.
///
/// The kernel's composites are expanded. The file's name holds the text's hash, so a file never
/// changes and equal kernels share one.
struct KernelSource {
  /// The kernel as it is lowered.
  let graph: Graph
  private let text: String
  private let name: String
  private let folder: URL
  private static let header = "mosc 1\nstage kernel\n\n"

  init(_ kernel: Graph, in folder: URL) throws {
    graph = try KernelLowering.expandComposites(kernel)
    text = Self.header + Printer.print(graph)
    name = "\(graph.name).\(ContentKey.of([text]).prefix(8)).mos"
    self.folder = folder
  }

  /// Writes the file if it is not there.
  func write() throws {
    let file = folder.appendingPathComponent(name)
    if FileManager.default.fileExists(atPath: file.path) { return }
    try PrivateFolder(folder).write(Data(text.utf8), as: name)
  }

  /// Line tables that point into the file.
  func lines(for builder: IRBuilder) -> DebugLines {
    DebugLines(builder, file: name, folder: folder.path)
  }

  /// The line of the kernel's name and parameters.
  var firstLine: Int { 4 }

  /// The line of a node, or the first one.
  func line(of node: NodeID) -> Int {
    graph.order.firstIndex(of: node).map { firstLine + 1 + $0 } ?? firstLine
  }
}
