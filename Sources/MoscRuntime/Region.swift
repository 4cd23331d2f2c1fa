import CRelax
import Foundation
import Synchronization

/// The tasks that the threads of a pool run at one time, and how the threads find one another.
final class Region: @unchecked Sendable {
  private let generation = Atomic<Int>(0)
  private let nextTask = Atomic<Int>(0)
  private let isOpen = Atomic<Bool>(false)
  private let joined = Atomic<Int>(0)
  private let parked = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  // Written by the caller while the region is closed and nobody is in it.
  private var body: ThreadPool.Body = { _, _, _ in }
  private var context: UnsafeMutableRawPointer?
  private var taskCount = 0
  private var chunk = 1
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  /// One `Use` per thread, each on cache lines of its own.
  private let uses: UnsafeMutableRawPointer

  private static let useStride = 128
  private static let spinLimit = 4000

  init(threads: Int) {
    mutex = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    uses = .allocate(byteCount: threads * Self.useStride, alignment: Self.useStride)
    for index in 0..<threads {
      (uses + index * Self.useStride).initializeMemory(as: ThreadPool.Use.self, to: .init())
    }
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(wake)
    mutex.deallocate()
    wake.deallocate()
    uses.deallocate()
  }

  /// What a thread has done; ask between regions.
  func use(of index: Int) -> ThreadPool.Use {
    (uses + index * Self.useStride).load(as: ThreadPool.Use.self)
  }

  // MARK: The caller

  /// Runs all tasks on the calling thread.
  func runAlone(_ tasks: Int, _ context: UnsafeMutableRawPointer?, _ body: ThreadPool.Body) {
    let start = Clock.now()
    body(context, 0, tasks)
    record(0, tasks, since: start)
  }

  /// Runs tasks in chunks on the calling thread and on every worker that comes.
  func run(
    _ tasks: Int, chunk: Int, _ context: UnsafeMutableRawPointer?, _ body: @escaping ThreadPool.Body
  ) {
    self.body = body
    self.context = context
    taskCount = tasks
    self.chunk = chunk
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

  /// Lets every worker end.
  func stop() {
    isStopping.store(true, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    generation.add(1, ordering: .sequentiallyConsistent)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
  }

  // MARK: Workers

  /// The life of a worker.
  func work(_ index: Int) {
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
    let use = (uses + index * Self.useStride).assumingMemoryBound(to: ThreadPool.Use.self)
    use.pointee.tasks += tasks
    use.pointee.seconds += Clock.now() - start
  }
}
