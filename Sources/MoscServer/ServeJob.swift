import Foundation
import HTTPTypes
import MoscReport
import MoscSample
import Synchronization

/// `mosc serve`: draws, teaches and fuses for a page in the browser and for other programs.
package struct ServeJob {
  package let options: ServerOptions
  package let reporter: Reporter
  /// The processes that draw with this one; nil for this one alone.
  private let team: PictureTeam?

  package init(_ options: ServerOptions, _ reporter: Reporter, _ team: PictureTeam? = nil) {
    (self.options, self.reporter, self.team) = (options, reporter, team)
  }

  /// Serves until Ctrl-C; a job that runs then ends, or saves what it has.
  package func run() throws {
    let server = try RunningServer(options, reporter, team)
    reporter.info("the studio is at \(server.address); Ctrl-C ends it")
    try reporter.result(server.address)
    if options.opensBrowser { Browser.open(server.address, reporter) }
    while !Interruption.endsProcess {
      if try server.wait(seconds: 0.2) { return }
    }
    reporter.info("ending: a job that runs saves what it has; Ctrl-C again ends at once")
    try server.stop()
  }
}

/// A server that answers requests, with its compute thread.
package final class RunningServer: Sendable {
  let services: Services
  package let port: Int
  private let compute: ComputeThread
  private let task: Task<Void, any Error>
  private let end: Signal

  /// What a task on other threads tells.
  private final class Signal: Sendable {
    let semaphore = DispatchSemaphore(value: 0)
    let port = Mutex<Int?>(nil)
    let outcome = Mutex<Result<Void, any Error>?>(nil)
  }

  /// - Throws: what is wrong with options, or why nothing can listen there.
  package init(_ options: ServerOptions, _ reporter: Reporter, _ team: PictureTeam? = nil) throws {
    try options.check()
    let services = try Services(options, reporter, team)
    let application = try MoscApplication(services)
    let (start, end) = (DispatchSemaphore(value: 0), Signal())
    self.services = services
    self.end = end
    task = Task {
      do {
        try await application.run { port in
          end.port.withLock { $0 = port }
          start.signal()
        }
        end.outcome.withLock { $0 = .success(()) }
      } catch {
        end.outcome.withLock { $0 = .failure(error) }
      }
      start.signal()
      end.semaphore.signal()
    }
    start.wait()
    guard let port = end.port.withLock({ $0 }) else {
      try end.outcome.withLock { $0 }?.get()
      throw CommandError.failure("the server ended at once")
    }
    self.port = port
    compute = ComputeThread(services)
    DispatchQueue.global(qos: .utility).async {
      // Without hashes models are known by their names.
      do {
        try services.catalog.hashAll()
      } catch {
        reporter.detail("hashes of models: \(error)")
      }
    }
  }

  /// The routes of a server with options, as `GET /path`.
  package static func routes(_ options: ServerOptions) throws -> [String] {
    try MoscApplication(try Services(options, .silent)).routes.all.map { "\($0.method.rawValue) \($0.path)" }
  }

  /// Where a browser finds it.
  var address: String {
    let listen = services.options.listen
    let host = ["0.0.0.0", "::"].contains(listen) ? "127.0.0.1" : listen
    return "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/"
  }

  /// Waits for an end that nobody asked for.
  ///
  /// - Returns: whether it came.
  func wait(seconds: Double) throws -> Bool {
    guard end.semaphore.wait(timeout: .now() + seconds) == .success else { return false }
    end.semaphore.signal()
    try end.outcome.withLock { $0 }?.get()
    return true
  }

  /// Takes no more jobs, ends the one that runs, answers what waits for it, and ends.
  package func stop() throws {
    services.queue.close()
    // After a signal it ends by itself, and saves.
    if !Interruption.endsProcess { services.queue.interrupt() }
    compute.wait()
    // Who waited for a job is being told how it ended.
    Thread.sleep(forTimeInterval: 0.2)
    task.cancel()
    end.semaphore.wait()
    end.semaphore.signal()
  }
}

/// The browser of the desktop.
enum Browser {
  static func open(_ address: String, _ reporter: Reporter) {
    let programs = ["/usr/bin/xdg-open", "/usr/bin/open", "/usr/bin/wslview"]
    guard let program = programs.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      return reporter.warn("there is no browser to open: visit \(address)")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [address]
    (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
    do {
      try process.run()
    } catch {
      reporter.warn("no browser could be opened: visit \(address)")
    }
  }
}
