import Foundation
import MoscEngine
import MoscFormats
import MoscNetworks
import MoscReport

/// What `mosc redraw` is asked for.
package struct RedrawRequest: Hashable, Sendable {
  /// The picture.
  package var picture: String
  /// The model, if not the embedded one, and where adapters are.
  package var model = ModelOptions()
  /// The picture that it was made from, and the mask, where they are not where they were.
  package var source, mask: String?
  package var compiler = CompilationOptions()
  package var output = OutputPattern.workingFolder

  package init(_ picture: String) { self.picture = picture }
}

/// `mosc redraw`: draws a picture again from what it says of itself.
package struct RedrawJob {
  package let request: RedrawRequest
  package let reporter: Reporter

  package init(_ request: RedrawRequest, _ reporter: Reporter) {
    (self.request, self.reporter) = (request, reporter)
  }

  package func run() throws {
    let url = URL(fileURLWithPath: request.picture)
    let settings = try PictureSettings(contentsOf: url)
    reporter.info("'\(request.picture)': drawn by \(settings.origin)")
    for remark in settings.remarks { reporter.warn(remark) }
    var sample = settings.request
    sample.compiler = request.compiler
    sample.output = request.output
    sample.model = try model(settings)
    try giveSource(settings, url, &sample)
    let target = try CompilationTarget(sample.compiler, precision: sample.model.precision)
    if let processor = settings.processor, processor != target.cpu {
      reporter.warn(
        "the picture was drawn by code for '\(processor)', this is '\(target.cpu)': last bits may differ")
    }
    try SampleJob(sample, reporter).run()
  }

  /// Looks for the picture that the picture was made from.
  private func giveSource(
    _ settings: PictureSettings, _ url: URL, _ sample: inout SampleRequest
  ) throws {
    guard settings.hasSource else {
      for (option, value) in [("--init-img", request.source), ("--mask", request.mask)] where value != nil {
        throw CommandError.usage("\(option): '\(request.picture)' was drawn from text alone")
      }
      return
    }
    if let source = settings.source {
      sample.picture.image = try source.found(request.source, beside: url, "--init-img")
      sample.picture.mask = try settings.mask?.found(request.mask, beside: url, "--mask")
      return
    }
    // Other programs do not tell which picture it was.
    (sample.picture.image, sample.picture.mask) = (request.source, request.mask)
    guard request.source != nil else {
      reporter.warn(
        "it was made from another picture, which is not in it: say which with --init-img; a picture from text is drawn")
      sample.picture = PictureOptions()
      return
    }
    if request.mask == nil {
      let strength = sample.picture.strength
      sample.picture = PictureOptions()
      (sample.picture.image, sample.picture.strength) = (request.source, strength)
    }
  }

  /// The model of the picture with its adapters.
  private func model(_ settings: PictureSettings) throws -> ModelOptions {
    var options = request.model
    options.precision = options.precision ?? settings.request.model.precision
    if let name = settings.model, options.path == nil {
      throw CommandError.usage("'\(request.picture)' was drawn with the model '\(name)': say where it is with -m")
    }
    if let path = options.path, let hash = settings.modelHash {
      let found = try PictureHashes.model(ModelComponents.open(path), request.compiler)
      if let found, !found.hasPrefix(hash.lowercased()) {
        reporter.warn("'\(path)' has the hash \(found.prefix(10)), the picture's model had \(hash)")
      }
    }
    for adapter in settings.adapters {
      options.adapters.files.append(try file(of: adapter, in: options.adapters.folder))
    }
    // Regions name theirs themselves; here it is seen to that they are the same files.
    for adapter in settings.regionAdapters { _ = try file(of: adapter, in: options.adapters.folder) }
    return options
  }

  /// The file of an adapter, if it is the one that the picture was drawn with.
  private func file(
    of adapter: PictureSettings.Adapter, in folder: String?
  ) throws -> AdapterRequest {
    var file = try AdapterFiles.find(adapter.name, in: folder)
    (file.textEncoder, file.unet, file.blocks) = (adapter.textEncoder, adapter.unet, adapter.blocks)
    if let hash = adapter.hash {
      let found = try FileHash.sha256(of: URL(fileURLWithPath: file.path))
      guard found.hasPrefix(hash.lowercased()) else {
        throw FormatError(
          file.path, nil, "has the hash \(found.prefix(12)), the picture's adapter had \(hash.prefix(12))")
      }
    }
    return file
  }
}
