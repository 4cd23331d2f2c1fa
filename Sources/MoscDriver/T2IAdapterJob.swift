import Foundation
import MoscFormats
import MoscIR
import MoscModel

/// `mosc run t2i_adapter`: the maps of condition images.
package struct T2IAdapterJob {
  package let request: RunRequest
  package let reporter: Reporter

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    guard let path = request.model.path else {
      throw DriverError.usage("run t2i_adapter needs the adapter's file: -m FILE")
    }
    let image = try Port("image", .image).imported(
      try TensorFile.read(request.input, "image"), batch: 1)
    let model = try T2IAdapterModel(URL(fileURLWithPath: path))
    let compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let maps = try Self.maps(
      of: image, model, compiler, usesEvaluator: request.usesEvaluator)
    try TensorFile.write(
      maps.enumerated().map { (T2IAdapter.mapName($0), $1.channelsFirst) },
      metadata: ["mosc": Doctor.versionText, "type": compiler.target.precision.rawValue],
      to: output)
  }

  /// The maps `[n,hₖ,wₖ,cₖ]` of condition images `[n,h,w,c]` in 0…1, from fine to coarse.
  ///
  /// - Throws: `DriverError.failure` for images of another number of channels; what is wrong with
  ///   their size.
  package static func maps(
    of image: TensorValue, _ model: T2IAdapterModel, _ compiler: Compiler,
    usesEvaluator: Bool = false
  ) throws -> [TensorValue] {
    guard image.shape.count == 4, image.shape[3] == model.config.imageChannels else {
      throw DriverError.failure(
        "the condition image has shape \(image.shape), expected [n, height, width, "
          + "\(model.config.imageChannels)] for '\(model.url.path)'")
    }
    let module = try model.module(
      batch: image.shape[0], height: image.shape[1], width: image.shape[2])
    let weights = WeightFiles([T2IAdapterModel.source: model.file])
    let function = module.graphs[0].name
    let results: [String: TensorValue]
    if usesEvaluator {
      results = try ReferenceRun(module, weights).run(function, ["image": image])
    } else {
      let compiled = try compiler.unquantised().compile(module, function: function)
      results = try Program(
        compiled, weights: weights, pool: compiler.pool, reporter: compiler.reporter
      ).run(["image": image])
    }
    return model.config.widths.indices.compactMap { results[T2IAdapter.mapName($0)] }
  }
}
