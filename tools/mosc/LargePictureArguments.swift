import ArgumentParser
import MoscEngine
import MoscModel
import MoscReport
import MoscSample

/// Pictures larger than those of the training, and such as go on at their edges.
struct LargePictureArguments: ParsableArguments {
  @Option(defaultAsFlag: Seamless.both, parsing: .next, help: ArgumentHelp(
    "Let the picture go on at its opposite edge, for copies side by side: in both directions, x or y.",
    valueName: "directions"))
  var seamless: Seamless?

  @Option(defaultAsFlag: TilingOptions.Mode.on, parsing: .next, help: ArgumentHelp(
    "Decode in tiles that are blended: on, off, or auto for pictures above 768x768 (default: auto).",
    valueName: "mode"))
  var vaeTiling: TilingOptions.Mode?

  @Option(help: ArgumentHelp("The longest edge of such a tile.", valueName: "pixels"))
  var vaeTileSize = TilingOptions.usualTileSize

  @Option(help: ArgumentHelp(
    "Refuse sizes of which a network needs more memory (default: the machine's).", valueName: "6G"))
  var maxRam: ByteSize?

  func apply(to request: inout SampleRequest) {
    request.seamless = seamless
    (request.tiling.mode, request.tiling.tileSize) = (vaeTiling ?? .auto, vaeTileSize)
    request.compiler.memoryLimit = maxRam?.bytes
  }
}
