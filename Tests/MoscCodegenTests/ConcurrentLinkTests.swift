import Foundation
import MoscCodegen
import MoscIR
import MoscLLVM
import Testing

/// Several threads link objects of one session at once; each gets its own kernel.
@Suite struct ConcurrentLinkTests {
  @Test func everyThreadGetsItsKernel() throws {
    let facts = try #require(testTargets.first)
    let machine = try TargetMachine(facts: facts)
    let objects = try (0..<8).map { number -> [UInt8] in
      let module = LLVMModule(name: "m\(number)", target: machine)
      let emitter = FunctionEmitter(module.builder, target: facts)
      emitter.kernel("k", buffers: 1) { _, buffers in
        emitter.store(emitter.float(Double(number), lanes: 1), as: .f32, buffers[0])
      }
      try emitter.finish()
      return try module.object(for: machine)
    }
    let session = try Linker.shared.get()
    final class Wrong: @unchecked Sendable {
      let lock = NSLock()
      var list: [String] = []
    }
    let wrong = Wrong()
    DispatchQueue.concurrentPerform(iterations: 200) { round in
      let number = round % objects.count
      do {
        let function = try session.jit.add(
          object: objects[number], symbol: "k", library: "link-\(round)-\(UUID())")
        var value: Float = -1
        withUnsafeMutablePointer(to: &value) { pointer in
          var arguments: [UnsafeMutableRawPointer?] = [UnsafeMutableRawPointer(pointer)]
          function(&arguments, 0, 1)
        }
        if value != Float(number) { wrong.lock.withLock { wrong.list.append("\(value)") } }
      } catch {
        wrong.lock.withLock { wrong.list.append("\(error)") }
      }
    }
    #expect(wrong.list.isEmpty, "\(wrong.list.prefix(3))")
  }
}
