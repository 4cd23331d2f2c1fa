/// The order in which a run sees its samples: every epoch all of them, shuffled anew; what does not
/// fill a batch is left out.
package struct SampleOrder: Sendable {
  private let count: Int
  private let batch: Int
  private let seed: RunSeed
  private var epoch = -1
  private var order: [Int] = []

  package init(count: Int, batch: Int, seed: RunSeed) {
    self.count = count
    self.batch = batch
    self.seed = seed
  }

  /// The samples of a batch, counted from 0 over the whole run.
  package mutating func samples(_ number: Int) -> [Int] {
    let batches = max(1, count / batch)
    if epoch != number / batches {
      epoch = number / batches
      order = Array(0..<max(count, batch))
      var random = PythonRandom(seed: seed.generator(.order, epoch))
      random.shuffle(&order)
    }
    let first = number % batches * batch
    return order[first..<first + batch].map { $0 % max(1, count) }
  }
}
