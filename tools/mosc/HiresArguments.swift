import ArgumentParser
import MoscDriver
import MoscSample

/// A second pass in a larger size.
struct HiresArguments: ParsableArguments {
  @Flag(name: [.long, .customLong("hires-fix")],
    help: "Make the picture larger and draw on from there, as the A1111 web UI's 'hires. fix'.")
  var hires = false

  @Option(name: [.long, .customLong("hires-upscale")], help: ArgumentHelp(
    "How many times larger.", valueName: "factor"))
  var hiresScale = HiresOptions.usualScale

  @Option(help: ArgumentHelp(
    "The large size in place of a factor; what stands over is cut off.", valueName: "WxH"))
  var hiresSize: PictureSize?

  @Option(help: "Steps that are taken then (default: as many as before).")
  var hiresSteps: Int?

  @Option(name: [.long, .customLong("hires-denoising-strength")],
    help: "How much is drawn anew, above 0 up to 1.")
  var hiresStrength = HiresOptions.usualStrength

  @Option(help: ArgumentHelp(
    "What makes it larger: latent, 'latent (nearest)', 'latent (nearest-exact)', 'latent (bicubic)', 'latent "
      + "(antialiased)', 'latent (bicubic antialiased)', nearest, bilinear, bicubic, lanczos, or the file of a "
      + "network (mosc upscale).",
    valueName: "name|file"))
  var hiresUpscaler = HiresOptions().upscaler

  func options() throws -> HiresOptions {
    var options = HiresOptions()
    let others: [(String, Bool)] = [
      ("scale", hiresScale != options.scale), ("size", hiresSize != nil), ("steps", hiresSteps != nil),
      ("strength", hiresStrength != options.strength), ("upscaler", hiresUpscaler != options.upscaler),
    ]
    if !hires, let given = others.first(where: \.1) {
      throw ValidationError("--hires-\(given.0) is for a second pass: say --hires")
    }
    (options.isOn, options.scale, options.steps) = (hires, hiresScale, hiresSteps)
    (options.strength, options.upscaler) = (hiresStrength, hiresUpscaler)
    options.size = hiresSize.map { ($0.width, $0.height) }
    return options
  }
}
