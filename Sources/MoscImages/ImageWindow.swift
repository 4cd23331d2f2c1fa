extension PixelImage {
  /// The part of the picture from a place on, which may reach beyond it: there its nearest pixel is repeated.
  package func window(left: Int, top: Int, width newWidth: Int, height newHeight: Int) -> PixelImage {
    var result = PixelImage(width: newWidth, height: newHeight, channels: channels, pixels: [])
    result.pixels.reserveCapacity(newWidth * newHeight * channels)
    for y in top..<top + newHeight {
      let row = min(max(y, 0), height - 1) * width
      for x in left..<left + newWidth {
        let place = (row + min(max(x, 0), width - 1)) * channels
        result.pixels.append(contentsOf: pixels[place..<place + channels])
      }
    }
    return result
  }

  /// The picture with another laid over it where a mask of one channel says so:
  /// `y = round((m·b + (255 − m)·a) / 255)`, so that 0 keeps every byte.
  package func overlaid(with other: PixelImage, where mask: PixelImage) -> PixelImage {
    guard other.pixels.count == pixels.count, mask.pixels.count * channels == pixels.count else { return self }
    var result = self
    for (i, amount) in mask.pixels.enumerated() where amount > 0 {
      let share = Int(amount)
      for place in i * channels..<(i + 1) * channels {
        let sum = share * Int(other.pixels[place]) + (255 - share) * Int(pixels[place])
        result.pixels[place] = UInt8((sum + 127) / 255)
      }
    }
    return result
  }

  /// The picture in three channels, what is transparent laid on white.
  package var onWhite: PixelImage {
    guard channels == 4 else { return rgb }
    let opacity = PixelImage(
      width: width, height: height, channels: 1,
      pixels: stride(from: 3, to: pixels.count, by: 4).map { pixels[$0] })
    let white = PixelImage(
      width: width, height: height, pixels: [UInt8](repeating: 255, count: width * height * 3))
    return white.overlaid(with: rgb, where: opacity)
  }
}
