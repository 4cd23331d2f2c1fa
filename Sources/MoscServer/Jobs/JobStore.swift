import Foundation
import MoscFormats
import MoscReport
import Synchronization

/// Jobs and pictures on disk: `YYYY-MM-DD/ID.json`, `ID.png`, `ID-2.png` …, each written whole or not at all.
///
/// The index is made of what lies there, so that no path ever comes from a request.
final class JobStore: Sendable {
  struct Place: Sendable {
    var folder: String
    var id: String
  }

  private struct State {
    /// The folders of jobs by id.
    var folders: [String: String] = [:]
    /// Ids, the oldest first.
    var order: [String] = []
    var last = ""
  }

  let root: URL
  private let state = Mutex(State())

  /// Opens the folder; jobs that an earlier run left unfinished have failed.
  ///
  /// - Throws: when the folder cannot be made or read.
  init(_ path: String) throws {
    root = URL(fileURLWithPath: path, isDirectory: true)
    try makeFolder(root)
    var index = State()
    let days = try namesInFolder(root).filter { $0.wholeMatch(of: /\d{4}-\d\d-\d\d/) != nil }
    for day in days.sorted() {
      for name in try namesInFolder(root.appending(path: day)).sorted() where name.hasSuffix(".json") {
        let id = String(name.dropLast(5))
        guard Self.isID(id) else { continue }
        index.folders[id] = day
        index.order.append(id)
      }
    }
    index.order.sort()
    state.withLock { $0 = index }
    for id in index.order { try failUnfinished(id) }
  }

  /// Whether a text has the form of an id.
  static func isID(_ text: String) -> Bool { text.wholeMatch(of: /\d{8}-\d{6}-\d{3}-[0-9a-f]{6}/) != nil }

  private static let unfinished: Set<String> = [JobStatus.queued.rawValue, JobStatus.running.rawValue]

  private func failUnfinished(_ id: String) throws {
    guard let url = url(id, "json"), let record = try? JSONValue.parse(try readFile(url), path: url.path),
      let members = record.members, Self.unfinished.contains(record["status"]?.string ?? "")
    else { return }
    let changes: [String: JSONValue] = [
      "status": .string(JobStatus.failed.rawValue), "queue_position": .null,
      "error": .string("the server ended while the job waited or ran"),
    ]
    let changed = members.map { JSONValue.Member($0.key, changes[$0.key] ?? $0.value) }
    try AtomicFile.write(Data("\(JSONValue.object(changed))\n".utf8), to: url)
  }

  /// An id after all others: the time, and what keeps others from guessing it.
  func newID(_ now: Date = Date()) -> String {
    state.withLock { state in
      var seconds = Int(now.timeIntervalSince1970), milliseconds = Int(now.timeIntervalSince1970 * 1000) % 1000
      var stamp = Self.stamp(seconds, milliseconds)
      // Clocks go back, and two jobs may come in a millisecond.
      while stamp <= state.last {
        milliseconds += 1
        if milliseconds == 1000 { (seconds, milliseconds) = (seconds + 1, 0) }
        stamp = Self.stamp(seconds, milliseconds)
      }
      state.last = stamp
      let secret = String(UInt32.random(in: 0..<1 << 24) | 1 << 24, radix: 16).dropFirst()
      let id = "\(stamp)-\(secret)"
      state.folders[id] = "\(stamp.prefix(4))-\(stamp.dropFirst(4).prefix(2))-\(stamp.dropFirst(6).prefix(2))"
      state.order.append(id)
      return id
    }
  }

  private static func stamp(_ seconds: Int, _ milliseconds: Int) -> String {
    var time = time_t(seconds), parts = tm()
    gmtime_r(&time, &parts)
    return String(
      format: "%04d%02d%02d-%02d%02d%02d-%03d", Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1,
      Int(parts.tm_mday), Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec), milliseconds)
  }

  /// Where a file of a known job lies; nil for any other id.
  func url(_ id: String, _ ending: String) -> URL? {
    let job = String(id.prefix(26))
    guard let folder = state.withLock({ $0.folders[job] }) else { return nil }
    let rest = id.dropFirst(26)
    guard rest.isEmpty || rest.wholeMatch(of: /-[1-9]\d{0,4}/) != nil else { return nil }
    return root.appending(path: folder).appending(path: "\(id).\(ending)")
  }

  /// A place for a new file of a job, in a folder that is there.
  func place(_ id: String, _ ending: String) throws -> URL {
    guard let url = url(id, ending) else { throw CommandError.failure("there is no job '\(id)'") }
    try makeFolder(url.deletingLastPathComponent())
    return url
  }

  /// The id of a job's picture, counted from 0.
  static func pictureID(_ job: String, _ number: Int) -> String { number == 0 ? job : "\(job)-\(number + 1)" }

  /// Writes what a job is.
  func write(_ job: Job) throws {
    let record = job.json(position: nil, withRequest: true)
    try AtomicFile.write(Data("\(record)\n".utf8), to: try place(job.id, "json"))
  }

  /// What was written of a job.
  func record(_ id: String) throws -> JSONValue? {
    guard Self.isID(id), let url = url(id, "json"), FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try JSONValue.parse(try readFile(url), path: "the job \(id)")
  }

  /// A picture's bytes.
  func picture(_ id: String) throws -> Data? {
    guard let url = url(id, "png"), FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try readFile(url)
  }

  /// Ids before another one, the newest first.
  func ids(before id: String?, limit: Int) -> [String] {
    state.withLock { state in
      let end = id.map { id in state.order.firstIndex { $0 >= id } ?? state.order.count } ?? state.order.count
      return Array(state.order[..<end].suffix(limit).reversed())
    }
  }

  /// Removes a job that is over, with its pictures.
  func remove(_ id: String) throws {
    guard let record = try record(id) else { return }
    for picture in record["result"]?["pictures"]?.array ?? [] {
      if let name = picture["id"]?.string, let url = url(name, "png") { unlink(url.path) }
    }
    if let url = url(id, "json") { unlink(url.path) }
    state.withLock { state in
      state.folders[id] = nil
      state.order.removeAll { $0 == id }
    }
  }
}
