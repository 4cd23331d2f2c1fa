import Foundation

/// A fixed set of threads that run numbered tasks; the calling thread takes part.
///
/// Workers spin for about 100 µs after a region and then park. Tasks are handed out in chunks
/// through an atomic counter, so results must not depend on which thread runs a task. The caller
/// waits only for workers that joined the region: one that the system has not scheduled yet costs
/// nothing. A call from inside a task, or from a second thread meanwhile, runs its tasks on the
/// calling thread, so no call can wait for itself.
package final class ThreadPool: @unchecked Sendable {
  /// What a region runs: the context and a range of task indices.
  package typealias Body = @convention(c) (UnsafeMutableRawPointer?, Int, Int) -> Void

  /// What one thread has done so far.
  package struct Use: Hashable, Sendable {
    /// The tasks it ran.
    package var tasks = 0
    /// The seconds it spent inside tasks.
    package var seconds = 0.0
  }

  /// What the caller and the workers share. Workers keep it alive, and not the pool: a pool that its
  /// own workers held would never end them.
  private let region: Region
  private var workers: [pthread_t] = []
  private let regionLock = NSLock()

  /// The stack of a worker: kernels keep their scratch there.
  private static let stackBytes = 16 << 20
  /// Chunks per thread: enough that the last ones to finish are short.
  private static let chunksPerThread = 16

  /// What a worker is told at its start.
  private final class Assignment {
    let region: Region
    let index: Int

    init(_ region: Region, _ index: Int) {
      self.region = region
      self.index = index
    }
  }

  /// Starts `threads − 1` workers, or fewer where the system refuses.
  package init(threads: Int) {
    let threads = max(1, threads)
    region = Region(threads: threads)
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    pthread_attr_setstacksize(attributes, Self.stackBytes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    for index in 1..<threads {
      var thread = pthread_t()
      let assignment = Unmanaged.passRetained(Assignment(region, index))
      let status = pthread_create(
        &thread, attributes,
        { argument in
          guard let argument else { return nil }
          let assignment = Unmanaged<Assignment>.fromOpaque(argument).takeRetainedValue()
          assignment.region.work(assignment.index)
          return nil
        }, assignment.toOpaque())
      guard status == 0 else {
        assignment.release()
        break
      }
      workers.append(thread)
    }
  }

  deinit {
    region.stop()
    for thread in workers { pthread_join(thread, nil) }
  }

  /// The number of threads, with the caller's.
  package var threadCount: Int { workers.count + 1 }

  /// What each thread has done, the caller's first; ask between regions.
  package var use: [Use] {
    regionLock.lock()
    defer { regionLock.unlock() }
    return (0..<threadCount).map { region.use(of: $0) }
  }

  // MARK: Regions

  /// Runs tasks `0..<tasks` and returns when all are done.
  package func run(tasks: Int, context: UnsafeMutableRawPointer?, _ body: @escaping Body) {
    if tasks <= 0 { return }
    guard regionLock.try() else { return body(context, 0, tasks) }
    defer { regionLock.unlock() }
    if tasks == 1 || workers.isEmpty {
      region.runAlone(tasks, context, body)
    } else {
      let chunk = max(1, tasks / (threadCount * Self.chunksPerThread))
      region.run(tasks, chunk: chunk, context, body)
    }
  }

  /// Runs a closure for each task.
  package func forEach(_ tasks: Int, _ body: @Sendable (Int) -> Void) {
    typealias Closure = @Sendable (Int) -> Void
    withoutActuallyEscaping(body) { escapable in
      var closure: Closure = escapable
      withUnsafeMutablePointer(to: &closure) { pointer in
        run(tasks: tasks, context: UnsafeMutableRawPointer(pointer)) { context, from, to in
          guard let closure = context?.assumingMemoryBound(to: Closure.self) else { return }
          for task in from..<to { closure.pointee(task) }
        }
      }
    }
  }
}
