import ArgumentParser
import MoscNetworks
import MoscSample

extension LatentPreview.Method: ExpressibleByArgument {}

/// The tiny autoencoder, and pictures on the way.
struct PreviewArguments: ParsableArguments {
  @Option(name: [.long, .customLong("tae")],
    help: ArgumentHelp(
      "A tiny autoencoder (TAESD) to decode pictures with; --vae takes such files, too.",
      valueName: "file|folder"))
  var taesd: String?

  @Flag(help: "Use it for previews alone.")
  var taesdPreviewOnly = false

  @Option(help: ArgumentHelp(
    "Show pictures on the way: proj (a pixel per latent, by a linear map), tae (the tiny autoencoder) or "
      + "vae (the model's own).", valueName: "method"))
  var preview = LatentPreview.Method.none

  @Option(help: ArgumentHelp("The picture that every preview replaces.", valueName: "file"))
  var previewPath = PreviewOptions.usualPath

  @Option(help: ArgumentHelp("How many steps there are from one to the next.", valueName: "steps"))
  var previewInterval = PreviewOptions().interval

  func apply(to request: inout SampleRequest) throws {
    if taesdPreviewOnly, taesd == nil {
      throw ValidationError("--taesd-preview-only is for --taesd")
    }
    if taesd != nil, request.model.vae != nil, !taesdPreviewOnly {
      throw ValidationError("--taesd and --vae exclude each other, unless with --taesd-preview-only")
    }
    request.model.taesd = taesdPreviewOnly ? nil : taesd
    request.preview.taesd = taesd
    (request.preview.method, request.preview.interval) = (preview, previewInterval)
    request.preview.path = previewPath
  }
}
