import Foundation
import MoscFormats
import MoscImages
import MoscSample

/// Pictures that requests begin with, as data in the request; never as a place on this disk.
enum InitialPicture {
  /// A picture, decoded and encoded anew, as a text that options hold.
  static func text(_ image: PixelImage) throws -> String {
    "data:image/png;base64," + (try PNG.encode(image)).base64EncodedString()
  }

  /// The options of a native request: `init_image`, `mask`, `strength` and those of masks.
  static func options(_ fields: JSONFields) throws -> PictureOptions {
    var options = PictureOptions()
    if let text = try fields.string("init_image") {
      options.image = try self.text(UploadedPicture.image(text, field: "init_image"))
    }
    if let text = try fields.string("mask") { options.mask = try self.text(UploadedPicture.image(text, field: "mask")) }
    options.strength = try fields.double("strength", in: 0...1)
    options.maskBlur = try fields.double("mask_blur", in: 0...64)
    options.keepsOutside = try fields.bool("keep_outside") ?? false
    options.invertsMask = try fields.bool("inpaint_invert") ?? false
    options.drawsOnlyMasked = try fields.bool("inpaint_full_res") ?? false
    if options.drawsOnlyMasked { options.padding = try fields.int("inpaint_full_res_padding", in: 0...4096) }
    if let name = try fields.string("inpaint_fill"), !name.isEmpty {
      guard let fill = PictureOptions.Fill(spelling: name) else {
        throw APIError.field("inpaint_fill", "expected fill, original, noise or nothing, found '\(name)'")
      }
      options.fill = fill
    }
    if let name = try fields.string("resize_mode"), !name.isEmpty {
      guard let mode = PictureOptions.Resize(spelling: name) else {
        throw APIError.field("resize_mode", "expected resize, crop or pad, found '\(name)'")
      }
      options.resize = mode
    }
    return options
  }

  /// The options of the web UI's `img2img`.
  static func webUI(_ fields: JSONFields) throws -> PictureOptions {
    guard let images = try fields.array("init_images"), let first = images.first?.string else {
      throw APIError(404, "Init image not found")
    }
    guard images.count == 1 else { throw APIError.field("init_images", "\(images.count) pictures, expected one") }
    var options = PictureOptions()
    options.image = try text(UploadedPicture.image(first, field: "init_images"))
    options.strength = try fields.double("denoising_strength", in: 0...1) ?? 0.75
    guard let resize = PictureOptions.Resize(spelling: "\(try fields.int("resize_mode", in: 0...3) ?? 0)") else {
      throw APIError.field("resize_mode", "is not supported, expected 0, 1 or 2", fields["resize_mode"])
    }
    options.resize = resize
    guard let mask = try fields.string("mask") else { return options }
    options.mask = try text(UploadedPicture.image(mask, field: "mask"))
    options.keepsOutside = try fields.bool("keep_outside") ?? false
    options.invertsMask = try fields.int("inpainting_mask_invert", in: 0...1) == 1
    options.maskBlur =
      try fields.double("mask_blur", in: 0...64) ?? fields.double("mask_blur_x", in: 0...64) ?? PictureOptions.usualBlur
    options.fill = PictureOptions.Fill(spelling: "\(try fields.int("inpainting_fill", in: 0...3) ?? 0)")
    options.drawsOnlyMasked = try fields.bool("inpaint_full_res") ?? true
    if options.drawsOnlyMasked { options.padding = try fields.int("inpaint_full_res_padding", in: 0...4096) ?? 0 }
    return options
  }

  /// The options of an edit of OpenAI's API, whose masks are transparent where the picture is drawn anew.
  static func edit(_ image: PixelImage, mask: PixelImage?) throws -> PictureOptions {
    var options = PictureOptions()
    options.image = try text(image.rgb)
    let holes = mask ?? (image.hasTransparency ? image : nil)
    guard let holes else { return options }
    guard holes.channels == 4 else { throw APIError(400, "the mask has no transparency", field: "mask", kind: "invalid_value") }
    let marks = PixelImage(
      width: holes.width, height: holes.height, channels: 1,
      pixels: stride(from: 3, to: holes.pixels.count, by: 4).map { 255 - holes.pixels[$0] })
    options.mask = try text(marks)
    // What is masked is to become what the prompt says.
    options.strength = 1
    return options
  }
}
