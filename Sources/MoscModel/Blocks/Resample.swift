import MoscIR

extension ModelBuilder {
  /// Halves an image with a stride-2 3×3 convolution, zero-padded by one on all sides.
  package mutating func downsample(_ x: ValueID, _ path: String) throws(Diagnostic) -> ValueID {
    try conv(x, "\(path).conv", out: type(x).lastExtent, stride: 2)
  }

  /// Halves an image with a stride-2 3×3 convolution, zero-padded by one below and right only, as
  /// the VAE encoder does.
  package mutating func downsampleAsymmetric(
    _ x: ValueID, _ path: String
  ) throws(Diagnostic) -> ValueID {
    let padded = try graph.pad(
      x, low: [0, 0, 0, 0], high: [0, 1, 1, 0], name: "\(path).padded")
    return try conv(padded, "\(path).conv", out: type(x).lastExtent, stride: 2, pad: 0)
  }

  /// Squares of pixels as channels, `[n,h,w,c]` → `[n,h/s,w/s,s²c]`: channel `s²·c + s·y + x` is channel c of
  /// pixel (y, x) of a square. Source: `torch.nn.functional.pixel_unshuffle`.
  package mutating func pixelUnshuffle(_ image: ValueID, by side: Int) throws(Diagnostic) -> ValueID {
    let s = type(image).shape
    let (rows, columns) = (s[1] / side, s[2] / side)
    let split = try graph.reshape(image, to: [s[0], rows, side, columns, side, s[3]])
    let turned = try graph.transpose(split, axes: [0, 1, 3, 5, 2, 4])
    return try graph.reshape(turned, to: [s[0], rows, columns, s[3] * side * side], name: "unshuffle")
  }

  /// Enlarges an image to a size by nearest neighbour, then a 3×3 convolution.
  package mutating func upsample(
    _ x: ValueID, height: Int, width: Int, _ path: String
  ) throws(Diagnostic) -> ValueID {
    let large = try graph.upsampleNearest(
      x, height: height, width: width, name: "\(path).nearest")
    return try conv(large, "\(path).conv", out: type(x).lastExtent)
  }

  /// The pixels of an image `[n,h,w,c]` as tokens `[n,h·w,c]`: a view.
  package mutating func tokens(
    _ image: ValueID, name: String? = nil
  ) throws(Diagnostic) -> ValueID {
    let s = type(image).shape
    return try graph.reshape(image, to: [s[0], s[1] * s[2], s[3]], name: name)
  }
}
