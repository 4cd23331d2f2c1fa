extension Conv2d {
  /// `∂L/∂x` in f32.
  ///
  /// Row i of the padded image meets tap u of result row p where `i = p·s + u`. So the rows of one
  /// phase α = i mod s see the taps α, α + s, … only, in descending order over adjacent rows of
  /// dy: a stride-1 convolution. The phases are put side by side (no product with an inserted
  /// zero).
  func imageGradient(
    _ dy: ValueID, _ weight: ValueID, _ image: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let kernel = graph.type(weight).shape
    let (out, size) = (graph.type(dy).shape, [kernel[2], kernel[3]])
    if stride == 1 {
      let flipped = try graph.transpose(
        try graph.reverse(weight, axes: [2, 3]), axes: [1, 0, 2, 3])
      return try convolved(
        dy, flipped, low: size.map { $0 - 1 - pad }, high: size.map { $0 - 1 - pad }, in: &graph)
    }
    // Rows of the padded image, in whole strides.
    let rows = (0...1).map { (image[1 + $0] + 2 * pad + stride - 1) / stride }
    var lines: [ValueID] = []
    for row in 0..<stride {
      var pixels: [ValueID] = []
      for column in 0..<stride {
        let phase = [row, column]
        let counts = (0...1).map { (size[$0] - phase[$0] + stride - 1) / stride }
        let part: ValueID
        if counts.contains(where: { $0 <= 0 }) {
          part = try graph.constant(0, .f32(out[0], rows[0], rows[1], image[3]))
        } else {
          part = try convolved(
            dy, try taps(of: weight, phase: phase, in: &graph), low: counts.map { $0 - 1 },
            high: (0...1).map { rows[$0] - out[1 + $0] }, in: &graph)
        }
        pixels.append(try graph.reshape(part, to: [out[0], rows[0], 1, rows[1], 1, image[3]]))
      }
      lines.append(try graph.concat(pixels, axis: 4))
    }
    var whole = try graph.concat(lines, axis: 2)
    whole = try graph.reshape(
      whole, to: [out[0], rows[0] * stride, rows[1] * stride, image[3]])
    for axis in 1...2 where pad > 0 || graph.type(whole).shape[axis] != image[axis] {
      whole = try graph.slice(whole, axis: axis, from: pad, to: pad + image[axis])
    }
    return whole
  }

  /// The taps of one phase in descending order, with input and output channels exchanged.
  private func taps(
    of weight: ValueID, phase: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    var result = weight
    for axis in 2...3 {
      let extent = graph.type(weight).shape[axis]
      let chosen = Array(Swift.stride(from: phase[axis - 2], to: extent, by: stride).reversed())
      if chosen == [0] && extent == 1 { continue }
      var parts: [ValueID] = []
      for tap in chosen {
        parts.append(try graph.slice(result, axis: axis, from: tap, to: tap + 1))
      }
      result = parts.count == 1 ? parts[0] : try graph.concat(parts, axis: axis)
    }
    return try graph.transpose(result, axes: [1, 0, 2, 3])
  }

  /// The convolution of dy with zeros (or, for negative widths, less) around it.
  private func convolved(
    _ dy: ValueID, _ weight: ValueID, low: [Int], high: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    if Set(low + high).count == 1, low[0] >= 0 {
      return try graph.conv2d(dy, weight: weight, pad: low[0])
    }
    var image = dy
    for axis in 0...1 where low[axis] < 0 || high[axis] < 0 {
      let extent = graph.type(image).shape[1 + axis]
      image = try graph.slice(
        image, axis: 1 + axis, from: max(-low[axis], 0), to: extent + min(high[axis], 0))
    }
    let (before, after) = (low.map { max($0, 0) }, high.map { max($0, 0) })
    if (before + after).contains(where: { $0 > 0 }) {
      image = try graph.pad(
        image, low: [0, before[0], before[1], 0], high: [0, after[0], after[1], 0])
    }
    return try graph.conv2d(image, weight: weight)
  }

  /// `∂L/∂W` in f32: per tap, `dyᵀ · x` over the pixels that the tap meets.
  func weightGradient(
    _ dy: ValueID, _ x: ValueID, _ kernel: [Int], in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let (out, image) = (graph.type(dy).shape, graph.type(x).shape)
    let rows = try graph.transposed(try graph.matrix(dy))
    // Enough zeros behind that every tap finds whole strides of rows.
    let needed = (0...1).map { axis in
      let reach = (kernel[2 + axis] - 1) / stride * stride + out[1 + axis] * stride
      return max(reach, image[1 + axis] + pad)
    }
    let whole = needed.map { ($0 + stride - 1) / stride * stride }
    var padded = x
    let behind = (0...1).map { max(whole[$0] - pad - image[1 + $0], 0) }
    if pad > 0 || behind.contains(where: { $0 > 0 }) {
      padded = try graph.pad(
        x, low: [0, pad, pad, 0], high: [0, behind[0], behind[1], 0])
    }
    let extents = graph.type(padded).shape
    var strided = padded
    if stride > 1 {
      strided = try graph.reshape(
        padded,
        to: [
          image[0], extents[1] / stride, stride, extents[2] / stride, stride, image[3],
        ])
    }
    var gradients: [ValueID] = []
    for u in 0..<kernel[2] {
      for v in 0..<kernel[3] {
        var window = strided
        let axes = stride > 1 ? [1, 3] : [1, 2]
        for (axis, (tap, extent)) in zip(axes, [(u, out[1]), (v, out[2])]) {
          if stride > 1 {
            let phase = tap % stride
            window = try graph.slice(window, axis: axis + 1, from: phase, to: phase + 1)
          }
          window = try graph.slice(
            window, axis: axis, from: tap / stride, to: tap / stride + extent)
        }
        let pixels = try graph.reshape(window, to: [graph.type(rows).shape[1], image[3]])
        let tap = try graph.linear(rows, weight: try graph.transposed(pixels))
        gradients.append(try graph.reshape(tap, to: [kernel[0], image[3], 1]))
      }
    }
    let taps = gradients.count == 1 ? gradients[0] : try graph.concat(gradients, axis: 2)
    return try graph.reshape(taps, to: kernel)
  }
}
