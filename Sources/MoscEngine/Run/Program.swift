import MoscFormats
import MoscIR
import MoscReport
import MoscRuntime

/// A compiled function of a module: its weights are packed, its memory is laid out.
///
/// Inputs and results lie as the IR says (`[n,h,w,c]`), and inputs keep their values until they are
/// given again. What depends on weights only ran when the program was made; what depends on the
/// prompt runs again when a prompt input is given.
package final class Program {
  /// One row of a profile: a kernel, its share of the time, how often it ran.
  package struct KernelTime: Sendable {
    package var kernel: String
    /// The work of one launch.
    package var work: Work
    package var seconds: Double
    package var launches: Int

    package init(kernel: String, work: Work, seconds: Double, launches: Int) {
      self.kernel = kernel
      self.work = work
      self.seconds = seconds
      self.launches = launches
    }
  }

  /// Keeps the machine code mapped.
  private let compiled: CompiledFunction
  private let weights: WeightFiles
  private let pool: ThreadPool
  private let isCancelled: @Sendable () -> Bool
  private var inputs: [String: (buffer: AlignedBuffer, type: TensorType, rate: Rate)] = [:]
  /// The memory of inputs and results that the caller keeps.
  private let memory: [String: AlignedBuffer]
  /// What the load function left; its scratch memory and its view of the files are gone.
  private let loaded: [(name: String, type: TensorType, buffer: AlignedBuffer?)]
  private let prompt: BoundFunction?
  private let step: BoundFunction?
  /// The inputs that were given so far.
  private var given: Set<String> = []
  /// Whether what depends on the prompt is to be computed before the next step.
  private var isPromptDue = true
  private let resultNames: [String]
  /// Seconds by kernel, filled while `isProfiling`.
  private var kernelTimes: [String: KernelTime] = [:]
  package var isProfiling = false
  /// Results that runs do not hand out, as another program reads them.
  package var keptResults: Set<String> = []
  /// Runs while profiling, and what they took from call to return.
  package private(set) var profiled = (runs: 0, seconds: 0.0)
  /// The bytes of packed weights and everything else known at load.
  package let loadBytes: Int
  /// The bytes of those that are another program's.
  package let sharedBytes: Int
  /// The memory of intermediate values.
  private let arena: AlignedBuffer?
  /// The bytes shared by intermediate values.
  package let arenaBytes: Int

  /// Binds compiled functions to memory and runs what depends on weights only.
  ///
  /// The pages of each weight are dropped after the launch that reads it last, so that the peak is
  /// the packed weights and little more.
  ///
  /// - Parameter memory: where inputs and results of these names lie; a run neither asks for the
  ///   inputs nor copies the results.
  /// - Parameter keepsPacked: whether values that depend on weights only are kept between runs.
  /// - Parameter other: a program of the same weights, and of the same thread, whose values and scratch
  ///   memory serve this one, too; inputs with the names of its results are read where it leaves them.
  /// - Throws: `CommandError.failure` before any memory is taken, when there is too little.
  package init(
    _ compiled: CompiledFunction, weights: WeightFiles, on compiler: Compiler,
    memory: [String: AlignedBuffer] = [:], keepsPacked: Bool = false,
    sharing other: Program? = nil
  ) throws {
    if other == nil { try compiler.checkMemory(of: compiled) }
    let memory = memory.merging(other?.results(among: compiled.parameters.map(\.name)) ?? [:]) { own, _ in own }
    self.memory = memory
    self.compiled = compiled
    self.weights = weights
    pool = compiler.pool
    isCancelled = compiler.isCancelled
    let (pool, reporter) = (compiler.pool, compiler.reporter)
    resultNames = compiled.resultNames
    let parts = [compiled.prompt, compiled.step]
    arenaBytes = parts.map { $0?.executable.arenaBytes ?? 0 }.max() ?? 0
    let arena = try other?.arena(of: arenaBytes) ?? Self.arena(arenaBytes)
    self.arena = arena
    for (name, type) in compiled.parameters.map({ ($0.name, $0.type) }) {
      guard let given = memory[name], given.byteCount < type.byteCount() else { continue }
      throw CommandError.failure(
        "'%\(name)' \(type) needs \(type.byteCount()) bytes, \(given.byteCount) are given")
    }
    for parameter in compiled.parameters {
      let buffer =
        try memory[parameter.name] ?? AlignedBuffer(byteCount: parameter.type.byteCount())
      inputs[parameter.name] = (buffer, parameter.type, parameter.rate)
    }
    var known = inputs.mapValues(\.buffer)
    func bind(
      _ function: LinkedFunction?, _ arena: AlignedBuffer?, found: [String: AlignedBuffer] = [:],
      prepares: Bool = false
    ) throws -> BoundFunction? {
      guard let function else { return nil }
      let bound = try BoundFunction(
        function, inputs: known, weights: weights, results: memory.merging(found) { $1 },
        arena: arena, prepares: prepares)
      known.merge(bound.outputs) { _, new in new }
      return bound
    }
    var plan = LoadPlan()
    let phase = "weights of \(compiled.name)"
    if compiled.load != nil { reporter.begin(.load, phase) }
    let packed = keepsPacked ? compiler.packedWeights : nil
    // Only what is looked up is hashed.
    let named = packed.map { weights.remembered(by: $0) } ?? weights
    let shared = other?.sharedValues ?? [:]
    if let load = compiled.load, packed != nil || !shared.isEmpty {
      plan = LoadPlan(load, named, packed, pool: pool, sharing: shared)
      for warning in plan.warnings { reporter.warn(warning, kind: "packed weights") }
    }
    let load = try bind(
      compiled.load, try Self.arena(compiled.load?.executable.arenaBytes ?? 0), found: plan.found,
      prepares: true)
    prompt = try bind(compiled.prompt, arena)
    step = try bind(compiled.step, arena)
    loadBytes = compiled.load?.outputs.reduce(0) { $0 + $1.type.byteCount() } ?? 0
    let others = Set(shared.values.map(\.address))
    sharedBytes = load?.outputs.values.filter { others.contains($0.address) }
      .reduce(0) { $0 + $1.byteCount } ?? 0
    loaded = load.map { part in
      part.function.outputs.map { ($0.name, $0.type, part.outputs[$0.name]) }
    } ?? []
    guard let load else { return }
    let total = load.function.executable.launches.count
    try load.run(pool: pool, skipping: plan.skipped, isCancelled: isCancelled) { index, _ in
      for weight in load.function.lastReads[index] ?? [] { self.weights.forget(weight) }
      reporter.progress(.load, phase, done: index + 1, of: total)
    } preparing: { index in
      for weight in load.function.reads[index] { self.weights.prepare(weight) }
    }
    reporter.end(.load, phase)
    // What was packed while a file was written must not be believed under the file's name.
    if weights.areUnchanged { plan.store(load.outputs) }
  }

  /// The values known at load by what tells them from others of the same weights.
  private var sharedValues: [String: AlignedBuffer] {
    guard let load = compiled.load else { return [:] }
    let pairs = zip(LoadPlan.sharedKeys(load), loaded).compactMap { key, value in
      key.flatMap { key in value.buffer.map { (key, $0) } }
    }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }

  /// The memory of results of these names.
  private func results(among names: [String]) -> [String: AlignedBuffer] {
    let outputs = step?.outputs ?? [:]
    return outputs.filter { names.contains($0.key) && resultNames.contains($0.key) }
  }

  /// The scratch memory, if it is large enough.
  private func arena(of bytes: Int) -> AlignedBuffer? {
    arena.flatMap { bytes > 0 && $0.byteCount >= bytes ? $0 : nil }
  }

  private static func arena(_ bytes: Int) throws -> AlignedBuffer? {
    bytes > 0 ? try AlignedBuffer(byteCount: bytes) : nil
  }

  /// The inputs the program takes.
  package var inputTypes: [String: TensorType] {
    inputs.filter { memory[$0.key] == nil }.mapValues(\.type)
  }

  /// Gives inputs, which stay until they are given again.
  ///
  /// - Throws: `CommandError.failure` for an input that does not exist or has another shape.
  package func set(_ tensors: [String: HostArray]) throws {
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      guard let input = inputs[name], memory[name] == nil else {
        let known = inputTypes.keys.sorted().joined(separator: ", ")
        throw CommandError.failure("there is no input '\(name)'; the inputs are \(known)")
      }
      guard tensor.shape == input.type.shape else {
        throw CommandError.failure(
          "input '\(name)' has shape \(tensor.shape), expected \(input.type.shape)")
      }
      input.buffer.store(tensor, as: input.type.dtype)
      given.insert(name)
      if input.rate == .prompt { isPromptDue = true }
    }
  }

  /// Runs the function on these inputs and on those that were given before.
  ///
  /// - Throws: `CommandError.failure` for an input that was never given, does not exist, or has
  ///   another shape.
  package func run(_ tensors: [String: HostArray] = [:]) throws -> [String: HostArray] {
    let begin = Clock.now()
    defer { countRun(since: begin) }
    try set(tensors)
    for (name, type) in inputTypes.sorted(by: { $0.key < $1.key }) where !given.contains(name) {
      throw CommandError.failure("input '\(name)' \(type) is missing")
    }
    if isPromptDue, let prompt { try run(prompt) }
    isPromptDue = false
    if let step { try run(step) }
    var results: [String: HostArray] = [:]
    for (name, type, buffer) in loaded where resultNames.contains(name) {
      results[name] = buffer?.load(type)
    }
    for part in [prompt, step].compactMap({ $0 }) {
      for output in part.function.outputs where resultNames.contains(output.name) && memory[output.name] == nil
        && !keptResults.contains(output.name)
      {
        results[output.name] = part.outputs[output.name]?.load(output.type)
      }
    }
    return results
  }

  private func run(_ part: BoundFunction) throws {
    // Weights that are packed in each step are as good as gone until the next one.
    let reads = part.function.largeReads
    guard isProfiling else {
      if reads.isEmpty { return try part.run(pool: pool, isCancelled: isCancelled) }
      return try part.run(pool: pool, isCancelled: isCancelled) { index, _ in
        for weight in reads[index] ?? [] { self.weights.forget(weight) }
      }
    }
    let launches = part.function.executable.launches
    try part.run(pool: pool, isCancelled: isCancelled) { index, seconds in
      for weight in reads[index] ?? [] { self.weights.forget(weight) }
      let name = launches[index].kernel.name
      var row =
        self.kernelTimes[name]
        ?? KernelTime(
          kernel: name, work: self.compiled.work[name] ?? Work(), seconds: 0, launches: 0)
      row.seconds += seconds
      row.launches += 1
      self.kernelTimes[name] = row
    }
  }

  /// Runs the step function again on the inputs it was last given, and names the first value that is
  /// not finite.
  package func firstNonFinite() throws -> String? {
    try step?.firstNonFinite(pool: pool, isCancelled: isCancelled)
  }

  /// Runs the step function again on the inputs it was last given, for timing.
  package func rerun() throws {
    let begin = Clock.now()
    defer { countRun(since: begin) }
    if let step { try run(step) }
  }

  private func countRun(since begin: Double) {
    if isProfiling { profiled = (profiled.runs + 1, profiled.seconds + Clock.now() - begin) }
  }

  /// The profile so far, the slowest kernel first.
  package var profile: [KernelTime] { kernelTimes.values.sorted { $0.seconds > $1.seconds } }
}
