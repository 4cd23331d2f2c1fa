import Foundation
import Hummingbird
import MoscNetworks
import MoscRuntime

/// Numbers for monitoring, in the text format of Prometheus.
enum ServerMetrics {
  static func response(_ services: Services) -> Response {
    var lines: [String] = []
    func add(_ name: String, _ kind: String, _ help: String, _ values: [(labels: String, value: Int)]) {
      lines += ["# HELP mosc_\(name) \(help)", "# TYPE mosc_\(name) \(kind)"]
      lines += values.map { "mosc_\(name)\($0.labels) \($0.value)" }
    }
    let counts = services.queue.counts.sorted { $0.key < $1.key }.map { key, value in
      let words = key.split(separator: " ")
      return (labels: "{kind=\"\(words[0])\",status=\"\(words[1])\"}", value: value)
    }
    let kept = services.keeper.statistics
    add("jobs_total", "counter", "Jobs that are over.", counts)
    add("jobs_waiting", "gauge", "Jobs in the queue.", [("", services.queue.waitingCount)])
    add("jobs_running", "gauge", "Jobs that run.", [("", services.queue.running == nil ? 0 : 1)])
    add("kept_programs", "gauge", "Programs that stay loaded.", [("", kept.programs)])
    add("kept_bytes", "gauge", "Bytes of programs that stay loaded.", [("", kept.bytes)])
    add("program_loads_total", "counter", "Programs whose weights were loaded.", [("", kept.loads)])
    add("program_hits_total", "counter", "Programs that were loaded already.", [("", kept.hits)])
    add("compilations_total", "counter", "Functions that were compiled.", [("", kept.compilations)])
    add("resident_bytes", "gauge", "Memory of the process.", [("", ProcessFacts.residentBytes)])
    add(
      "uptime_seconds", "counter", "Seconds since the start.",
      [("", Int(Date().timeIntervalSince(services.started)))])
    return .bytes(Data((lines.joined(separator: "\n") + "\n").utf8), "text/plain; version=0.0.4; charset=utf-8")
  }
}
