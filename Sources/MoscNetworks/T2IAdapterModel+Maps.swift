import FoundationEssentials
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport

extension T2IAdapterModel {
  /// The maps `[n,hₖ,wₖ,cₖ]` of condition images `[n,h,w,c]` in 0…1, from fine to coarse.
  ///
  /// - Throws: `CommandError.failure` for images of another number of channels; what is wrong with
  ///   their size.
  package func maps(
    of image: HostArray, _ compiler: Compiler,
    usesEvaluator: Bool = false
  ) throws -> [HostArray] {
    guard image.shape.count == 4, image.shape[3] == config.imageChannels else {
      throw CommandError.failure(
        "the condition image has shape \(image.shape), expected [n, height, width, "
          + "\(config.imageChannels)] for '\(url.path)'")
    }
    let module = try self.module(
      batch: image.shape[0], height: image.shape[1], width: image.shape[2])
    let weights = WeightFiles([T2IAdapterModel.source: file])
    let function = module.graphs[0].name
    let results: [String: HostArray]
    if usesEvaluator {
      results = try ReferenceRun(module, weights).run(function, ["image": image])
    } else {
      let compiled = try compiler.unquantised.compile(module, function: function)
      results = try Program(
        compiled, weights: weights, on: compiler
      ).run(["image": image])
    }
    return config.widths.indices.compactMap { results[T2IAdapter.mapName($0)] }
  }
}
