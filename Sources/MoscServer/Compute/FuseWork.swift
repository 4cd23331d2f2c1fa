import Foundation
import MoscFormats
import MoscFuse
import MoscNetworks
import MoscReport

/// Fuses the concepts of a job.
struct FuseWork {
  private let job: Job
  private let services: Services

  init(_ job: Job, _ services: Services) { (self.job, self.services) = (job, services) }

  func run(_ order: FuseOrder) throws {
    services.keeper.clear()
    var request = order.request
    let report = try services.store.place(JobStore.pictureID(job.id, 1), "json")
    defer { unlink(report.path) }
    request.report = report.path
    let sheet = try services.store.place(job.id, "png")
    if request.sheet != nil { request.sheet = sheet.path }
    try FuseJob(request, JobReporter.make(job, services.queue)).run()
    let residuals = try Self.residuals(JSONValue.parse(try readFile(report), path: "the report"))
    job.update { state in
      state.findings = [("concept", .string(order.name)), ("residuals", .array(residuals))]
      state.done = state.total
      if request.sheet != nil { state.findings.append(("sheet", .string("/mosc/v1/pictures/\(job.id)"))) }
    }
  }

  /// The median and the worst relative residual of each concept over all layers.
  private static func residuals(_ report: JSONValue) -> [JSONValue] {
    var found: [(name: String, values: [Double])] = []
    for concept in (report["layers"]?.array ?? []).flatMap({ $0["concepts"]?.array ?? [] }) {
      guard let name = concept["name"]?.string, let value = concept["residual"]?.double else { continue }
      if let index = found.firstIndex(where: { $0.name == name }) {
        found[index].values.append(value)
      } else {
        found.append((name, [value]))
      }
    }
    return found.map { name, values in
      let sorted = values.sorted()
      return .fields([
        ("name", .string(name)), ("median", .rounded(sorted[sorted.count / 2])),
        ("worst", .rounded(sorted.last ?? 0)), ("layers", .int(values.count)),
      ])
    }
  }
}
