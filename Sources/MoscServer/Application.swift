import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import MoscFormats
import MoscReport
import NIOCore

/// The server: routes of all APIs behind one guard.
struct MoscApplication: Sendable {
  let services: Services
  let routes: RouteTable
  private let guardian: RequestGuard

  private static let mostConnections = 64
  private static let idleSeconds: Int64 = 60

  init(_ services: Services) throws {
    self.services = services
    guardian = try RequestGuard(services.options)
    routes = RouteTable(
      StudioPage.routes + NativeAPI(services).routes + WebUIAPI(services).routes + ControlNetLists(services).routes
        + OpenAIAPI(services).routes)
  }

  /// Serves until the task is cancelled.
  ///
  /// - Parameter started: called with the port once requests are answered.
  /// - Throws: `CommandError` for an address that cannot be had.
  func run(started: @escaping @Sendable (Int) -> Void) async throws {
    let options = services.options
    // Its own messages would mix with the results on standard output.
    let logger = Logger(label: "mosc") { _ in SwiftLogNoOpLogHandler() }
    let application = Application(
      responder: Responder(routes: routes, guardian: guardian),
      server: .http1(configuration: .init(idleTimeout: .seconds(Self.idleSeconds))),
      configuration: .init(
        address: .hostname(options.listen, port: options.port),
        availableConnectionsDelegate: MaximumAvailableConnections(Self.mostConnections, logger: logger)),
      onServerRunning: { channel in started(channel.localAddress?.port ?? options.port) },
      logger: logger)
    do {
      try await application.run()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw CommandError.failure(
        "port \(options.port) of \(options.listen) is taken by another program; choose another with --port, or "
          + "0 for any that is free")
    } catch let error as IOError {
      throw CommandError.failure("cannot listen on \(options.listen), port \(options.port): \(SystemMessage.text(error.errnoCode))")
    }
  }
}
