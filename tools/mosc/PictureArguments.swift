import ArgumentParser
import MoscDiffusion
import MoscSample

/// A picture to begin with, and what of it is drawn anew.
struct PictureArguments: ParsableArguments {
  @Option(name: [.customShort("i"), .long],
    help: ArgumentHelp("A picture to begin with; its size is the default.", valueName: "file"))
  var initImg: String?

  @Option(name: [.long, .customLong("denoising-strength")],
    help: "How much of the denoising is done to it, 0 to 1 (default: 0.75, for --outpaint 1).")
  var strength: Double?

  @Option(help: ArgumentHelp(
    "How it is brought to --width and --height: resize (stretched), crop or pad.", valueName: "mode"))
  var resizeMode = PictureOptions.Resize.resize

  @Option(help: ArgumentHelp("A picture that is white where the picture is drawn anew.", valueName: "file"))
  var mask: String?

  @Option(help: ArgumentHelp(
    "How far the edge of the mask fades outwards, 0 for a hard one (default: 4).", valueName: "pixels"))
  var maskBlur: Double?

  @Option(name: [.long, .customLong("inpainting-fill")],
    help: ArgumentHelp(
      "What the masked part holds at first: original (the default), fill (the colours around it), noise or nothing.",
      valueName: "content"))
  var inpaintFill: PictureOptions.Fill?

  @Flag(name: [.long, .customLong("inpainting-mask-invert")], help: "Draw what is black in the mask.")
  var inpaintInvert = false

  @Flag(name: [.long, .customLong("inpaint-only-masked")],
    help: "Draw only the surroundings of the mask, in the size of --width and --height, and put them back.")
  var inpaintFullRes = false

  @Option(help: ArgumentHelp("How much around the mask is drawn with it (default: 32).", valueName: "pixels"))
  var inpaintFullResPadding: Int?

  @Option(name: [.long, .customLong("expand")],
    help: ArgumentHelp(
      "Pixels to add at the sides of the picture and draw; one number is for all four.",
      valueName: "left=64,right=64,top=0,bottom=0"))
  var outpaint: PictureOptions.Margins?

  @Flag(help: "Leave the picture as it is outside of all regions.")
  var keepOutside = false

  var options: PictureOptions {
    var options = PictureOptions()
    (options.image, options.strength, options.resize) = (initImg, strength, resizeMode)
    (options.mask, options.invertsMask, options.maskBlur) = (mask, inpaintInvert, maskBlur)
    (options.fill, options.drawsOnlyMasked) = (inpaintFill, inpaintFullRes)
    (options.padding, options.keepsOutside) = (inpaintFullResPadding, keepOutside)
    if let outpaint { options.margins = outpaint }
    return options
  }
}

/// Noise between two seeds.
struct VariationArguments: ParsableArguments {
  @Option(name: [.long, .customLong("variation-seed")], parsing: .unconditional,
    help: ArgumentHelp("The seed of another noise, of which some is mixed in; -1 for a random one.", valueName: "seed"))
  var subseed = SeedList.random

  @Option(name: [.long, .customLong("variation-strength")], help: "How much of it, 0 to 1 (default: 0).")
  var subseedStrength = 0.0

  func options() -> VariationOptions {
    var options = VariationOptions()
    options.strength = subseedStrength
    if options.isOn, let seed = subseed.seeds().first { options.seed = seed }
    return options
  }
}
