import Dispatch

/// Work that reads files or computes, away from the few threads that answer requests.
enum Offload {
  private static let queue = DispatchQueue(label: "mosc.requests", attributes: .concurrent)

  static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}
