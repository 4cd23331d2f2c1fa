import MoscCodegen
import MoscIR
import MoscRuntime
import Synchronization

/// Which values of a load function are on disk, and which are to be computed and kept.
struct LoadPlan {
  /// Values that need not be computed, by name.
  private(set) var found: [String: AlignedBuffer] = [:]
  /// The launches that compute nothing but those.
  private(set) var skipped: Set<Int> = []
  /// Files that could not be used, one sentence each.
  private(set) var warnings: [String] = []
  /// The keys of the values that are missing, by name.
  private var missing: [(name: String, key: String)] = []
  private let cache: PackedWeights?

  /// A plan that computes everything.
  init() { cache = nil }

  /// Looks up the value of every launch that computes one large result from weights of a model's
  /// files and nothing else.
  init(_ function: LinkedFunction, _ weights: WeightFiles, _ cache: PackedWeights, pool: ThreadPool) {
    self.cache = cache
    var candidates: [(launch: Int, name: String, bytes: Int, key: String)] = []
    for (index, launch) in function.executable.launches.enumerated() {
      guard let candidate = Self.value(of: launch, function, weights) else { continue }
      candidates.append((index, candidate.name, candidate.bytes, candidate.key))
    }
    let wanted = candidates
    let entries = Mutex([Int: PackedWeights.Entry]())
    // Reading takes as long as memory does: every thread helps.
    pool.forEach(wanted.count) { index in
      let entry = cache.value(wanted[index].key, byteCount: wanted[index].bytes)
      entries.withLock { $0[index] = entry }
    }
    let known = entries.withLock { $0 }
    for (index, candidate) in wanted.enumerated() {
      switch known[index] ?? .miss {
      case .hit(let value):
        found[candidate.name] = value
        skipped.insert(candidate.launch)
        continue
      case .damaged(let reason): warnings.append(reason)
      case .miss: break
      }
      missing.append((candidate.name, candidate.key))
    }
  }

  /// Keeps what had to be computed.
  func store(_ values: [String: AlignedBuffer]) {
    cache?.store(missing.compactMap { name, key in values[name].map { (key, $0) } })
  }

  /// The result of a launch with its key, or nil for one that is not kept.
  private static func value(
    of launch: LaunchRecord, _ function: LinkedFunction, _ weights: WeightFiles
  ) -> (name: String, bytes: Int, key: String)? {
    guard let code = launch.kernel.identity else { return nil }
    var parts = [code]
    var result: (name: String, type: TensorType)?
    for argument in launch.arguments {
      guard case .external(let index, 0) = argument else { return nil }
      switch function.externals[index] {
      case .weight(let weight):
        guard let identity = weights.identity(of: weight) else { return nil }
        parts.append(identity)
      case .constant(let constant): parts.append("\(constant)")
      case .output(let position):
        guard result == nil else { return nil }
        result = function.outputs[position]
      case .input: return nil
      }
    }
    guard let result, result.type.byteCount() >= PackedWeights.minimumBytes else { return nil }
    return (result.name, result.type.byteCount(), ObjectCache.key(parts))
  }
}
