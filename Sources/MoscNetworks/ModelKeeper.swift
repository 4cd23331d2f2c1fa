import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel

/// What stays in memory from one piece of work to the next: opened models, compiled functions, programs
/// with their packed weights, encoded prompts. Of these programs the least recently used go first.
///
/// One thread at a time uses the programs; any may open models.
package final class ModelKeeper: @unchecked Sendable {
  /// What tells a compiled function from any other.
  private struct FunctionKey: Hashable {
    var module: Module
    var name: String
    var precision: Precision
  }

  private struct Entry {
    var function: FunctionKey
    var sources: [String]
    let program: Program
    /// Encoded rows of tokens, of programs that encode text.
    var states: [[[Int32]]: HostArray] = [:]
    var stateOrder: [[[Int32]]] = []

    var bytes: Int {
      program.loadBytes + program.arenaBytes + states.values.reduce(0) { $0 + $1.bytes.count }
    }
  }

  private struct ModelKey: Hashable {
    var options: ModelOptions
    var requests: [AdapterRequest]
    /// Those of each region.
    var regions: [[AdapterRequest]]
    /// What the files were when they were opened.
    var stamps: [String]
  }

  /// What was asked for, and how often it was there.
  package struct Statistics: Hashable, Sendable {
    package var programs = 0
    package var bytes = 0
    package var compilations = 0
    package var loads = 0
    package var hits = 0
  }

  private let lock = NSLock()
  private let limit: Int
  /// The most recently used last.
  private var entries: [Entry] = []
  private var functions: [(key: FunctionKey, function: CompiledFunction)] = []
  private var models: [(key: ModelKey, model: DiffusersModel)] = []
  private var counts = Statistics()

  private static let mostFunctions = 24
  private static let mostModels = 8
  private static let mostStates = 256

  /// - Parameter limit: bytes of programs that are kept; the one in use may be larger.
  package init(limit: Int) { self.limit = limit }

  package var statistics: Statistics {
    lock.withLock {
      var result = counts
      (result.programs, result.bytes) = (entries.count, entries.reduce(0) { $0 + $1.bytes })
      return result
    }
  }

  /// Lets go of everything, for work that needs the memory.
  package func clear() {
    lock.withLock { (entries, functions, models) = ([], [], []) }
  }

  // MARK: Models

  /// The model of the options with adapters, opened anew when a file has changed.
  func model(
    _ options: ModelOptions, _ requests: [AdapterRequest], _ regions: [[AdapterRequest]],
    open: () throws -> DiffusersModel
  ) throws -> DiffusersModel {
    let paths = [options.path, options.vae].compactMap(\.self) + (requests + regions.joined()).map(\.path)
    let key = ModelKey(options: options, requests: requests, regions: regions, stamps: paths.map(Self.stamp))
    let found = lock.withLock { models.first { $0.key == key }?.model }
    if let found, Self.isUnchanged(found) { return found }
    let model = try open()
    lock.withLock {
      models.removeAll { $0.key == key }
      models.append((key, model))
      if models.count > Self.mostModels { models.removeFirst() }
    }
    return model
  }

  private static func isUnchanged(_ model: DiffusersModel) -> Bool {
    DiffusersModel.Component.allCases.allSatisfy { component in
      do {
        return try model.files(component).files.allSatisfy(\.isUnchanged)
      } catch {
        return false
      }
    }
  }

  private static func stamp(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "none" }
    return "\(status.st_dev) \(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec) \(status.st_mtim.tv_nsec)"
  }

  // MARK: Programs

  /// A program of a function with weights, made only where there is none.
  func program(
    _ module: Module, _ name: String, _ precision: Precision, _ weights: WeightFiles,
    compile: () throws -> CompiledFunction, load: (CompiledFunction) throws -> Program
  ) throws -> Program {
    let key = FunctionKey(module: module, name: name, precision: precision)
    guard let sources = weights.identities else { return try load(function(key, compile)) }
    lock.lock()
    if let index = entries.firstIndex(where: { $0.sources == sources && $0.function == key }) {
      let entry = entries.remove(at: index)
      entries.append(entry)
      counts.hits += 1
      lock.unlock()
      return entry.program
    }
    lock.unlock()
    let program = try load(function(key, compile))
    lock.withLock {
      counts.loads += 1
      entries.append(Entry(function: key, sources: sources, program: program))
      trim()
    }
    return program
  }

  private func function(
    _ key: FunctionKey, _ compile: () throws -> CompiledFunction
  ) throws -> CompiledFunction {
    let found: CompiledFunction? = lock.withLock {
      guard let index = functions.firstIndex(where: { $0.key == key }) else { return nil }
      let found = functions.remove(at: index)
      functions.append(found)
      return found.function
    }
    if let found { return found }
    let function = try compile()
    lock.withLock {
      counts.compilations += 1
      functions.append((key, function))
      if functions.count > Self.mostFunctions { functions.removeFirst() }
    }
    return function
  }

  /// Drops the least recently used until what is left is within the limit; the last stays.
  private func trim() {
    var bytes = entries.reduce(0) { $0 + $1.bytes }
    while bytes > limit, entries.count > 1 { bytes -= entries.removeFirst().bytes }
  }

  // MARK: Encoded prompts

  /// What a program makes of rows of tokens, computed only once.
  func states(
    _ program: Program, _ rows: [[Int32]], encode: () throws -> HostArray
  ) throws -> HostArray {
    let found = lock.withLock { entries.first { $0.program === program }?.states[rows] }
    if let found { return found }
    let states = try encode()
    lock.withLock {
      guard let index = entries.firstIndex(where: { $0.program === program }) else { return }
      entries[index].states[rows] = states
      entries[index].stateOrder.append(rows)
      if entries[index].stateOrder.count > Self.mostStates {
        entries[index].states[entries[index].stateOrder.removeFirst()] = nil
      }
    }
    return states
  }
}
