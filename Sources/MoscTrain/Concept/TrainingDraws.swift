import Foundation
import MoscEngine
import MoscRandom

/// Where the batches of a run come from.
package protocol TrainingDraws {
  /// The batch of a step, counted from 0; steps may be asked for in any order.
  mutating func batch(_ number: Int) throws -> ConceptBatch
  /// Every caption that may come, or nil when they are not known beforehand.
  var captions: Set<String>? { get }
}

/// Batches drawn from a dataset; every number depends on the seed and the step alone.
package struct DatasetDraws: TrainingDraws {
  private let dataset: Dataset
  private let cache: LatentCache
  private let seed: RunSeed
  private let trainSteps: Int
  private var order: SampleOrder

  package init(_ dataset: Dataset, _ cache: LatentCache, seed: RunSeed, trainSteps: Int) {
    self.dataset = dataset
    self.cache = cache
    self.seed = seed
    self.trainSteps = trainSteps
    order = SampleOrder(count: dataset.count, batch: dataset.batchSize, seed: seed)
  }

  package var captions: Set<String>? {
    let isFixed = dataset.transforms.joined().allSatisfy { transform in
      switch transform {
      case .shuffleCaption, .enhanceText: false
      default: true
      }
    }
    return isFixed ? Set(dataset.images.map(\.caption)) : nil
  }

  package mutating func batch(_ number: Int) throws -> ConceptBatch {
    var batch = ConceptBatch(
      latents: TensorValue([0], [Float]()), noise: TensorValue([0], [Float]()),
      offset: TensorValue([0], [Float]()), timesteps: [], captions: [], masks: [], imageMasks: [])
    var latents: [Float] = []
    let samples = order.samples(number)
    for (place, sample) in samples.enumerated() {
      let index = sample % dataset.images.count
      var picks = PythonRandom(seed: seed(.variant, number, place))
      var words = PythonRandom(seed: seed(.caption, number, place))
      let variants = cache.entries[index]
      let entry = variants[picks.below(variants.count)]
      latents += cache.latents(entry, normals(.posterior, number, place, entry.mean.count))
      batch.captions.append(dataset.caption(index, &words))
      batch.masks.append(entry.mask)
      batch.imageMasks.append(entry.imageMask)
      var times = PythonRandom(seed: seed(.timestep, number, place))
      batch.timesteps.append(times.below(trainSteps))
    }
    let shape = [samples.count, cache.height, cache.width, cache.channels]
    let size = shape.dropFirst().reduce(1, *)
    func draws(_ purpose: RunSeed.Purpose, _ size: Int) -> [Float] {
      samples.indices.flatMap { normals(purpose, number, $0, size) }
    }
    batch.latents = TensorValue(shape, latents)
    batch.noise = TensorValue(shape, draws(.noise, size))
    batch.offset = TensorValue(
      [samples.count, 1, 1, cache.channels], draws(.offset, cache.channels))
    return batch
  }

  private func normals(
    _ purpose: RunSeed.Purpose, _ number: Int, _ place: Int, _ count: Int
  ) -> [Float] {
    var source = TorchRandomSource(seed: seed(purpose, number, place))
    return source.normals(count)
  }
}
