import Foundation
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport
import MoscSample
import Synchronization

/// What all routes and the compute thread share.
final class Services: Sendable {
  /// What the `options` of the web UI's API change for all that follows.
  struct Settings: Sendable {
    /// The model by its file's name.
    var model: String
    var clipSkip = 1
    /// What else clients set and want to read again, as JSON texts.
    var others: [String: String] = [:]
  }

  let options: ServerOptions
  let store: JobStore
  let queue: JobQueue
  let keeper: ModelKeeper
  let compiler: Compiler
  let catalog: ModelCatalog
  let reporter: Reporter
  /// The processes that draw with this one; nil for this one alone.
  let team: PictureTeam?
  let started = Date()
  private let held: Mutex<Settings>

  /// - Throws: what is wrong with options, folders and the model.
  init(_ options: ServerOptions, _ reporter: Reporter, _ team: PictureTeam? = nil) throws {
    self.options = options
    self.team = team
    self.reporter = reporter
    store = try JobStore(options.output)
    queue = JobQueue(limit: options.mostQueued, store)
    let half = Int(ProcessInfo.processInfo.physicalMemory / 2)
    keeper = ModelKeeper(limit: options.keptBytes ?? half)
    let share = team?.compiling(options.compiler) ?? options.compiler
    compiler = try Compiler(share, precision: options.model.precision, reporter)
    catalog = try ModelCatalog(options, store)
    held = Mutex(Settings(model: catalog.standard.id))
  }

  var settings: Settings { held.withLock { $0 } }

  func change<Result: Sendable>(_ change: (inout Settings) throws -> Result) rethrows -> Result {
    try held.withLock { try change(&$0) }
  }

  /// A request of a model, before anything else is said.
  ///
  /// - Parameter model: the name of a model; nil for the one that is chosen.
  /// - Throws: `APIError` 404 for an unknown one.
  func request(model: String?) throws -> SampleRequest {
    let settings = settings
    var request = SampleRequest()
    request.compiler = options.compiler
    request.model = options.model
    request.model.path = try catalog.find(model ?? settings.model).path
    request.model.adapters.folder = catalog.loraFolder.path
    request.model.adapters.embeddingFolder = options.embeddingFolder
    request.clipSkip = settings.clipSkip
    return request
  }

  /// Checks a request, which opens its model, and puts it into the queue.
  ///
  /// - Returns: the job with what it draws, which a job that is over no longer holds.
  func submit(
    _ request: SampleRequest, echo: JSONValue, previewInterval: Int, taskID: String? = nil
  ) async throws -> (job: Job, plan: SamplePlan) {
    let keeper = keeper
    let plan = try await Offload.run { try SamplePlan(request, keeper: keeper) }
    guard plan.count <= Limits.mostPictures else {
      throw APIError(422, "\(plan.count) pictures are too many for one job, at most \(Limits.mostPictures) are drawn")
    }
    let order = JobOrder.draw(DrawOrder(plan: plan, previewInterval: previewInterval))
    return (try queue.submit(order, request: echo, taskID: taskID), plan)
  }
}

/// The largest numbers that a request may ask for, refused before anything is allocated.
enum Limits {
  static let mostPictures = 64
  static let steps = 1...1000
  static let side = 8...4096
  static let batch = 1...16
  static let count = 1...64
  static let guidance = -100.0...1000.0
  static let mostPixels = 1 << 23
  static let seed = -1...Int.max

  /// Refuses pictures of more pixels than a machine draws in a lifetime.
  static func check(width: Int?, height: Int?) throws {
    if let width, let height, width * height > mostPixels {
      throw APIError.field("width", "\(width)x\(height) is more than \(mostPixels) pixels")
    }
  }
}
