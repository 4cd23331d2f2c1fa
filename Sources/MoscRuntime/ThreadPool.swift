import CRelax
import Foundation
import Synchronization

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

  private let generation = Atomic<Int>(0)
  private let nextTask = Atomic<Int>(0)
  private let isOpen = Atomic<Bool>(false)
  private let joined = Atomic<Int>(0)
  private let parked = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  // Written by the caller while the region is closed and nobody is in it.
  private var body: Body = { _, _, _ in }
  private var context: UnsafeMutableRawPointer?
  private var taskCount = 0
  private var chunk = 1
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var workers: [pthread_t] = []
  private let regionLock = NSLock()
  /// One `Use` per thread, each on cache lines of its own.
  private let uses: UnsafeMutableRawPointer

  private static let useStride = 128
  /// The stack of a worker: kernels keep their scratch there.
  private static let stackBytes = 16 << 20
  private static let spinLimit = 4000
  /// Chunks per thread: enough that the last ones to finish are short.
  private static let chunksPerThread = 16

  /// What a worker is told at its start.
  private final class Assignment {
    unowned(unsafe) let pool: ThreadPool
    let index: Int

    init(_ pool: ThreadPool, _ index: Int) {
      self.pool = pool
      self.index = index
    }
  }

  /// Starts `threads − 1` workers, or fewer where the system refuses.
  package init(threads: Int) {
    let threads = max(1, threads)
    mutex = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    uses = .allocate(byteCount: threads * Self.useStride, alignment: Self.useStride)
    for index in 0..<threads {
      (uses + index * Self.useStride).initializeMemory(as: Use.self, to: Use())
    }
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    pthread_attr_setstacksize(attributes, Self.stackBytes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    for index in 1..<threads {
      var thread = pthread_t()
      let assignment = Unmanaged.passRetained(Assignment(self, index))
      let status = pthread_create(
        &thread, attributes,
        { argument in
          guard let argument else { return nil }
          let assignment = Unmanaged<Assignment>.fromOpaque(argument).takeRetainedValue()
          assignment.pool.work(assignment.index)
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
    isStopping.store(true, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    generation.add(1, ordering: .sequentiallyConsistent)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    for thread in workers { pthread_join(thread, nil) }
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(wake)
    mutex.deallocate()
    wake.deallocate()
    uses.deallocate()
  }

  /// The number of threads, with the caller's.
  package var threadCount: Int { workers.count + 1 }

  /// What each thread has done, the caller's first; ask between regions.
  package var use: [Use] {
    regionLock.lock()
    defer { regionLock.unlock() }
    return (0..<threadCount).map { (uses + $0 * Self.useStride).load(as: Use.self) }
  }

  // MARK: Workers

  private func work(_ index: Int) {
    var seen = 0
    while true {
      var spins = 0
      while generation.load(ordering: .acquiring) == seen {
        cpu_relax()
        spins += 1
        if spins > Self.spinLimit { park(seen) }
      }
      seen = generation.load(ordering: .sequentiallyConsistent)
      if isStopping.load(ordering: .sequentiallyConsistent) { return }
      // Either this worker sees the region closed, or the caller sees that it joined.
      joined.add(1, ordering: .sequentiallyConsistent)
      if isOpen.load(ordering: .sequentiallyConsistent) { drain(index) }
      joined.subtract(1, ordering: .sequentiallyConsistent)
    }
  }

  private func park(_ seen: Int) {
    pthread_mutex_lock(mutex)
    parked.add(1, ordering: .sequentiallyConsistent)
    while generation.load(ordering: .sequentiallyConsistent) == seen {
      pthread_cond_wait(wake, mutex)
    }
    parked.subtract(1, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }

  private func drain(_ index: Int) {
    var first = nextTask.add(chunk, ordering: .relaxed).oldValue
    if first >= taskCount { return }
    let start = Clock.now()
    var count = 0
    while first < taskCount {
      let end = min(first + chunk, taskCount)
      body(context, first, end)
      count += end - first
      first = nextTask.add(chunk, ordering: .relaxed).oldValue
    }
    record(index, count, since: start)
  }

  private func record(_ index: Int, _ tasks: Int, since start: Double) {
    let use = (uses + index * Self.useStride).assumingMemoryBound(to: Use.self)
    use.pointee.tasks += tasks
    use.pointee.seconds += Clock.now() - start
  }

  // MARK: Regions

  /// Runs tasks `0..<tasks` and returns when all are done.
  package func run(tasks: Int, context: UnsafeMutableRawPointer?, _ body: @escaping Body) {
    if tasks <= 0 { return }
    guard regionLock.try() else { return body(context, 0, tasks) }
    defer { regionLock.unlock() }
    if tasks == 1 || workers.isEmpty {
      let start = Clock.now()
      body(context, 0, tasks)
      record(0, tasks, since: start)
      return
    }
    self.body = body
    self.context = context
    taskCount = tasks
    chunk = max(1, tasks / (threadCount * Self.chunksPerThread))
    nextTask.store(0, ordering: .relaxed)
    isOpen.store(true, ordering: .sequentiallyConsistent)
    generation.add(1, ordering: .sequentiallyConsistent)
    if parked.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(wake)
      pthread_mutex_unlock(mutex)
    }
    drain(0)
    isOpen.store(false, ordering: .sequentiallyConsistent)
    var spins = 0
    while joined.load(ordering: .sequentiallyConsistent) != 0 {
      spins += 1
      // Where threads outnumber processors, the worker may need this one to finish.
      if spins < Self.spinLimit { cpu_relax() } else { sched_yield() }
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
