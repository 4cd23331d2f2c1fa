import Foundation
import MoscEngine
import MoscFormats
import MoscRandom

/// Where the batches of a run come from.
package protocol TrainingDraws {
  /// What all batches have in common.
  var form: BatchForm { get }
  /// The batch of a step, counted from 0; steps may be asked for in any order.
  mutating func batch(_ number: Int) throws -> ConceptBatch
}

/// What all batches of a run have in common, and so the compiled step.
package struct BatchForm: Hashable, Sendable {
  /// Pictures.
  package var batch: Int
  /// Height and width of the latents.
  package var height: Int
  package var width: Int
  /// A caption of a picture; all hold the concept's words equally often.
  package var caption: String
  /// Whether all pictures have this caption in every step.
  package var isCaptionShared: Bool
}

extension BatchForm {
  /// The form of a batch that is the only one.
  package init(_ batch: ConceptBatch) {
    let shape = batch.latents.shape
    self.init(
      batch: shape[0], height: shape[1], width: shape[2], caption: batch.captions.first ?? "",
      isCaptionShared: Set(batch.captions).count == 1)
  }
}

/// Batches drawn from a dataset; every number depends on the seed and the step alone.
package struct DatasetDraws: TrainingDraws {
  package let form: BatchForm
  private let dataset: Dataset
  private let encoded: DatasetLatents
  private let seed: RunSeed
  private let trainSteps: Int
  private var order: SampleOrder

  package init(_ dataset: Dataset, _ encoded: DatasetLatents, seed: RunSeed, trainSteps: Int) {
    self.dataset = dataset
    self.encoded = encoded
    self.seed = seed
    self.trainSteps = trainSteps
    order = SampleOrder(count: dataset.count, batch: dataset.batchSize, seed: seed)
    let drawsCaptions = dataset.transforms.joined().contains { transform in
      switch transform {
      case .shuffleCaption, .enhanceText: true
      default: false
      }
    }
    form = BatchForm(
      batch: dataset.batchSize, height: encoded.height, width: encoded.width,
      caption: dataset.images.first?.caption ?? "",
      isCaptionShared: !drawsCaptions && Set(dataset.images.map(\.caption)).count == 1)
  }

  package mutating func batch(_ number: Int) throws -> ConceptBatch {
    var batch = ConceptBatch(
      latents: HostArray([Float](), shape: [0]), noise: HostArray([Float](), shape: [0]),
      offset: HostArray([Float](), shape: [0]), timesteps: [], captions: [], masks: [], imageMasks: [])
    var latents: [Float] = []
    let samples = order.samples(number)
    let shape = [samples.count, encoded.height, encoded.width, encoded.channels]
    let size = shape.dropFirst().reduce(1, *)
    for (place, sample) in samples.enumerated() {
      let index = sample % dataset.images.count
      var picks = PythonRandom(seed: seed.generator(.variant, number, place))
      var words = PythonRandom(seed: seed.generator(.caption, number, place))
      let variants = encoded.entries[index]
      let entry = variants[picks.below(variants.count)]
      latents += encoded.latents(entry, normals(.posterior, number, place, size))
      batch.captions.append(dataset.caption(index, &words))
      batch.masks.append(entry.mask)
      batch.imageMasks.append(entry.imageMask)
      var times = PythonRandom(seed: seed.generator(.timestep, number, place))
      batch.timesteps.append(times.below(trainSteps))
    }
    func draws(_ purpose: RunSeed.Purpose, _ size: Int) -> [Float] {
      samples.indices.flatMap { normals(purpose, number, $0, size) }
    }
    batch.latents = HostArray(latents, shape: shape)
    batch.noise = HostArray(draws(.noise, size), shape: shape)
    batch.offset = HostArray(
      draws(.offset, encoded.channels), shape: [samples.count, 1, 1, encoded.channels])
    return batch
  }

  private func normals(
    _ purpose: RunSeed.Purpose, _ number: Int, _ place: Int, _ count: Int
  ) -> [Float] {
    var source = TorchRandomSource(seed: seed.generator(purpose, number, place))
    return source.normals(count)
  }
}
