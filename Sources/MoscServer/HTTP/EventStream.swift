import Foundation
import HTTPTypes
import Hummingbird
import MoscFormats
import NIOCore

/// Server-sent events. Source: HTML standard, section 9.2.
enum EventStream {
  /// How often a comment is sent while nothing happens, so that nobody in between closes the connection.
  static let pingSeconds = 15.0

  /// The lines of an event.
  static func text(_ name: String, _ data: JSONValue, id: Int? = nil) -> String {
    // JSON texts have no line feeds.
    (id.map { "id: \($0)\n" } ?? "") + "event: \(name)\ndata: \(data.description)\n\n"
  }

  /// A response whose events a body sends; `abandoned` runs when the client goes before the end.
  static func response(
    abandoned: @escaping @Sendable () -> Void = {},
    _ events: AsyncStream<String>
  ) -> Response {
    let body = ResponseBody { writer in
      do {
        for await text in pinged(events) { try await writer.write(ByteBuffer(string: text)) }
      } catch {
        abandoned()
        throw error
      }
      try await writer.finish(nil)
    }
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: body)
  }

  /// The events with comments between them when they are far apart.
  private static func pinged(_ events: AsyncStream<String>) -> AsyncStream<String> {
    let (stream, out) = AsyncStream<String>.makeStream()
    let ticker = Task {
      while !Task.isCancelled {
        do {
          try await Task.sleep(for: .seconds(pingSeconds))
        } catch {
          return
        }
        out.yield(": ping\n\n")
      }
    }
    let forward = Task {
      for await event in events { out.yield(event) }
      ticker.cancel()
      out.finish()
    }
    out.onTermination = { _ in
      ticker.cancel()
      forward.cancel()
    }
    return stream
  }
}
