import CRelax
import Foundation
import Synchronization

/// A fixed set of threads that run numbered tasks; the calling thread takes part.
///
/// Workers spin for about 50 µs after a region and then park. Tasks are handed out one by one
/// through an atomic counter, so results must not depend on which thread runs a task.
package final class ThreadPool: @unchecked Sendable {
  /// What a region runs: the context and a range of task indices.
  package typealias Body = @convention(c) (UnsafeMutableRawPointer?, Int, Int) -> Void

  /// The number of threads, with the caller's.
  package let threadCount: Int
  private let generation = Atomic<Int>(0)
  private let nextTask = Atomic<Int>(0)
  private let finished = Atomic<Int>(0)
  private let parked = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  // Written by the caller before `generation` is advanced (release) and read after (acquire).
  private var body: Body = { _, _, _ in }
  private var context: UnsafeMutableRawPointer?
  private var taskCount = 0
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var workers: [pthread_t] = []
  private let regionLock = NSLock()

  /// The stack of a worker: kernels keep their scratch there.
  private static let stackBytes = 32 << 20
  private static let spinLimit = 4000

  package init(threads: Int) {
    threadCount = max(1, threads)
    mutex = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
    let attributes = UnsafeMutablePointer<pthread_attr_t>.allocate(capacity: 1)
    pthread_attr_init(attributes)
    pthread_attr_setstacksize(attributes, Self.stackBytes)
    defer {
      pthread_attr_destroy(attributes)
      attributes.deallocate()
    }
    for _ in 0..<threadCount - 1 {
      var thread = pthread_t()
      let argument = Unmanaged.passUnretained(self).toOpaque()
      let status = pthread_create(
        &thread, attributes,
        { argument in
          if let argument {
            Unmanaged<ThreadPool>.fromOpaque(argument).takeUnretainedValue().work()
          }
          return nil
        }, argument)
      if status == 0 { workers.append(thread) }
    }
  }

  deinit {
    isStopping.store(true, ordering: .releasing)
    pthread_mutex_lock(mutex)
    generation.add(1, ordering: .sequentiallyConsistent)
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    for thread in workers { pthread_join(thread, nil) }
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(wake)
    mutex.deallocate()
    wake.deallocate()
  }

  private func work() {
    var seen = 0
    while true {
      var spins = 0
      while generation.load(ordering: .acquiring) == seen {
        cpu_relax()
        spins += 1
        if spins > Self.spinLimit { park(seen) }
      }
      seen += 1
      if isStopping.load(ordering: .acquiring) { return }
      drain()
      finished.add(1, ordering: .releasing)
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

  private func drain() {
    while true {
      let task = nextTask.add(1, ordering: .relaxed).oldValue
      if task >= taskCount { return }
      body(context, task, task + 1)
    }
  }

  /// Runs tasks `0..<tasks` and returns when all are done.
  package func run(tasks: Int, context: UnsafeMutableRawPointer?, _ body: @escaping Body) {
    if tasks <= 0 { return }
    if tasks == 1 || workers.isEmpty {
      body(context, 0, tasks)
      return
    }
    regionLock.lock()
    defer { regionLock.unlock() }
    self.body = body
    self.context = context
    taskCount = tasks
    nextTask.store(0, ordering: .relaxed)
    finished.store(0, ordering: .relaxed)
    generation.add(1, ordering: .sequentiallyConsistent)
    if parked.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(wake)
      pthread_mutex_unlock(mutex)
    }
    drain()
    while finished.load(ordering: .acquiring) != workers.count { cpu_relax() }
  }

  /// Runs a closure for each task.
  package func forEach(_ tasks: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Box {
      let body: @Sendable (Int) -> Void
      init(_ body: @escaping @Sendable (Int) -> Void) { self.body = body }
    }
    let box = Box(body)
    withExtendedLifetime(box) {
      run(tasks: tasks, context: Unmanaged.passUnretained(box).toOpaque()) { context, from, to in
        guard let context else { return }
        let box = Unmanaged<Box>.fromOpaque(context).takeUnretainedValue()
        for task in from..<to { box.body(task) }
      }
    }
  }
}
