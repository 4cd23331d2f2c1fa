import MoscCodegen
import MoscIR
import MoscRuntime
import Synchronization

/// Which values of a load function are there already, in another program or on disk, and which are to be
/// computed and kept.
package struct LoadPlan {
  /// Values that need not be computed, by name.
  package private(set) var found: [String: AlignedBuffer] = [:]
  /// The launches whose results nothing needs.
  package private(set) var skipped: Set<Int> = []
  /// Files that could not be used, one sentence each.
  private(set) var warnings: [String] = []
  /// The keys of the values that are missing, by name.
  private var missing: [(name: String, key: String)] = []
  private let cache: PackedWeights?

  /// A plan that computes everything.
  init() { cache = nil }

  /// Takes every value that another program of the same weights has, and looks up every large other one
  /// that depends on weights of a model's files and nothing else.
  ///
  /// - Parameters:
  ///   - cache: nil without a cache.
  ///   - shared: values of another program by their keys (`sharedKeys`).
  package init(
    _ function: LinkedFunction, _ weights: WeightFiles, _ cache: PackedWeights?, pool: ThreadPool,
    sharing shared: [String: AlignedBuffer] = [:]
  ) {
    self.cache = cache
    if !shared.isEmpty {
      for (output, key) in zip(function.outputs, Self.sharedKeys(function)) {
        if let buffer = key.flatMap({ shared[$0] }) { found[output.name] = buffer }
      }
    }
    let flow = LoadFlow(function) { weights.identity(of: $0) }
    if let cache { look(function, flow, cache, pool) }
    let positions = function.outputs.indices.filter { found[function.outputs[$0].name] != nil }
    skipped = flow.launchesNotNeeded(without: Set(positions))
  }

  /// What tells the values of a load function from any others of programs that read the same weights, in
  /// the order of its results.
  static func sharedKeys(_ function: LinkedFunction) -> [String?] {
    LoadFlow(function) { "\($0.source) \($0.name) \($0.type)" }.keys
  }

  private mutating func look(
    _ function: LinkedFunction, _ flow: LoadFlow, _ cache: PackedWeights, _ pool: ThreadPool
  ) {
    let wanted = function.outputs.enumerated().compactMap { index, output in
      let bytes = output.type.byteCount()
      return bytes < cache.minimumBytes || found[output.name] != nil
        ? nil : flow.keys[index].map { (name: output.name, bytes: bytes, key: $0) }
    }
    let entries = Mutex([Int: PackedWeights.Entry]())
    // Reading takes as long as memory does: every thread helps.
    pool.forEach(wanted.count) { index in
      let entry = cache.value(wanted[index].key, byteCount: wanted[index].bytes)
      entries.withLock { $0[index] = entry }
    }
    let known = entries.withLock { $0 }
    for (index, value) in wanted.enumerated() {
      switch known[index] ?? .miss {
      case .hit(let buffer):
        found[value.name] = buffer
        continue
      case .damaged(let reason): warnings.append(reason)
      case .miss: break
      }
      missing.append((value.name, value.key))
    }
  }

  /// Keeps what had to be computed.
  package func store(_ values: [String: AlignedBuffer]) {
    cache?.store(missing.compactMap { name, key in values[name].map { (key, $0) } })
  }
}

/// What the values of a load function are computed from.
private struct LoadFlow {
  /// What tells the numbers of each result from any others; nil if nothing does.
  private(set) var keys: [String?]
  /// The results each launch writes.
  private var written: [Set<Int>] = []
  /// The launches whose results each launch reads.
  private var producers: [Set<Int>] = []

  /// Bytes of the arena that one launch wrote.
  private struct Piece {
    let range: Range<Int>
    let launch: Int
    let key: String?
  }

  init(_ function: LinkedFunction, identity: (Param) -> String?) {
    keys = [String?](repeating: nil, count: function.outputs.count)
    var writer = [Int?](repeating: nil, count: function.outputs.count)
    var pieces: [Piece] = []
    for (index, launch) in function.executable.launches.enumerated() {
      let results = function.written[index]
      var parts = [launch.kernel.identity]
      var sources: Set<Int> = []
      for (position, argument) in launch.arguments.enumerated()
      where !results.contains(where: { $0.argument == position }) {
        switch argument {
        case .external(let external, 0):
          switch function.externals[external] {
          case .weight(let weight): parts.append(identity(weight))
          case .constant(let constant): parts.append("\(constant)")
          case .output(let output):
            parts.append(keys[output])
            if let launch = writer[output] { sources.insert(launch) }
          case .input: parts.append(nil)
          }
        case .arena(let offset):
          // A value may also be read from its middle on; only whole ones have a key.
          let overlapping = pieces.filter { $0.range.contains(offset) }
          sources.formUnion(overlapping.map(\.launch))
          parts.append(overlapping.first { $0.range.lowerBound == offset }?.key)
        case .external: parts.append(nil)
        }
      }
      let known = parts.compactMap { $0 }
      let key = known.count == parts.count ? ContentKey.of(known) : nil
      var outputs: Set<Int> = []
      for (number, result) in results.enumerated() {
        let key = key.map { results.count == 1 ? $0 : "\($0).\(number)" }
        switch launch.arguments[result.argument] {
        case .external(let external, _):
          guard case .output(let output) = function.externals[external] else { continue }
          (keys[output], writer[output]) = (key, index)
          outputs.insert(output)
        case .arena(let offset):
          let range = offset..<offset + result.type.byteCount()
          pieces.removeAll { $0.range.overlaps(range) }
          pieces.append(Piece(range: range, launch: index, key: key))
        }
      }
      written.append(outputs)
      producers.append(sources)
    }
  }

  /// The launches that compute nothing but some results, which are known, and what only those read.
  func launchesNotNeeded(without known: Set<Int>) -> Set<Int> {
    var needed: Set<Int> = []
    for launch in written.indices.reversed()
    where !written[launch].isSubset(of: known) || needed.contains(launch) {
      needed.formUnion(producers[launch])
      needed.insert(launch)
    }
    return Set(written.indices).subtracting(needed)
  }
}
