import Foundation
import MoscFormats
import TestSupport
import Testing

/// The server under a launcher: all processes draw, and nobody who asks can tell.
@Suite(.serialized) struct ClusterServerTests {
  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func picturesComeInOrderWhoeverDrawsThem() throws {
    let order = #"{"kind": "draw", "prompt": "a fox, on grass", "seed": 3, "batch_count": 6, "batch_size": 1, "width": 64, "height": 64, "steps": 2}"#
    let options = ["--type", "f32", "-t", "1", "--cache-dir", SharedKernels.folder]
    func drawn(_ server: TestServer) throws -> [Data] {
      let job = try server.finish(order)
      #expect(job["status"]?.string == "completed", "\(job)")
      let pictures = job["result"]?["pictures"]?.array ?? []
      #expect(pictures.compactMap { $0["seed"]?.string } == ["3", "4", "5", "6", "7", "8"], "\(job)")
      return try pictures.compactMap { $0["url"]?.string }.map { try server.send("GET", $0).body }
    }
    let alone = try TestServer(arguments: options)
    let expected = try drawn(alone)
    alone.stop()
    let server = try TestServer(arguments: options, by: .openMPI)
    for _ in 0..<3 { #expect(try drawn(server) == expected) }
    server.stop()
  }
}
