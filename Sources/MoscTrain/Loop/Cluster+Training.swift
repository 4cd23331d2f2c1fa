import Foundation
import MoscCluster
import MoscFormats
import MoscReport
import MoscRuntime

extension Cluster {
  /// Gives every process the first one's state of a run: only that one reads and writes files.
  func share(_ state: inout TrainingState) throws {
    var content = Array("\(state.step)\n".utf8)
    if isFirst {
      for group in state.groups {
        for role in group.lasting {
          if let floats = group.buffer(role)?.floats { content += UnsafeRawBufferPointer(floats) }
        }
      }
    }
    let first = try broadcast(MessageLabel(.state), content)
    guard !isFirst else { return }
    guard let end = first.firstIndex(of: UInt8(ascii: "\n")),
      let step = Int(String(decoding: first[..<end], as: UTF8.self))
    else { throw CommandError.failure("rank 0 sent a state that says no step") }
    state.step = step
    var offset = end + 1
    for group in state.groups {
      for role in group.lasting {
        guard let floats = group.buffer(role)?.floats else { continue }
        let target = UnsafeMutableRawBufferPointer(floats)
        guard offset + target.count <= first.count else {
          throw CommandError.failure("rank 0 sent a state of another size than rank \(rank)'s")
        }
        first.withUnsafeBytes {
          target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + target.count]))
        }
        offset += target.count
      }
    }
  }
}

extension TrainRequest {
  /// The same run in a process whose files nobody reads: it starts anew, and gets the first one's state.
  ///
  /// - Parameter folder: where it writes.
  func following(in folder: URL) -> TrainRequest {
    var request = self
    request.output = folder.appending(path: URL(fileURLWithPath: output).lastPathComponent).path
    (request.resumes, request.overwrites) = (false, false)
    (request.saveInterval, request.keepInterval, request.previewInterval) = (nil, nil, nil)
    request.profiles = false
    return request
  }
}
