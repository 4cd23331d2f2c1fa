import MoscIR

/// Computes a 3×3 convolution of a doubled image as four 2×2 convolutions of the small image.
///
/// Every second row of the result sees each row of the small image at most twice, so that two taps
/// of the kernel read the same pixel and their weights can be added beforehand: rows `[w₀, w₁+w₂]`
/// for even and `[w₀+w₁, w₂]` for odd results, and columns alike. That is 4/9 of the
/// multiplications. The sums of weights are load work; the four results are put side by side. An image
/// that goes on at its opposite edge (`pad` with `wrap`) does so after doubling as before.
///
/// - Stage: tensor → tensor.  Needs: rates.  Keeps: every result within rounding.
/// - Refuses: in q8 what `winograd` takes where it runs, since taps of pixels with scales of their own
///   cannot be summed otherwise (`split-upsample.precision`), factors other than 2
///   (`split-upsample.factor`), doubled images with other readers (`split-upsample.shared`), weights
///   not known at load (`split-upsample.rate`).
/// - Order: before `choose-kernels`, which makes the padding explicit.
/// - Source: the "sub-pixel" identity of Shi et al. 2016, "Is the deconvolution layer the same as a
///   convolutional layer?".
package struct SplitUpsample: Pass {
  package static let name = "split-upsample"
  package static let stages = (from: Stage.tensor, to: Stage.tensor)
  package static let isOptional = true

  package init(_ options: inout PassOptions) {}

  package func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
    for index in module.graphs.indices where module.graphs[index].kind == .function {
      let graph = module.graphs[index]
      let users = graph.users()
      var result = try graph.rebuilt { (id, operands, new) throws(Diagnostic) -> [ValueID]? in
        guard case .conv2d(let conv) = graph[id].op, conv.stride == 1,
          conv.tile == nil, graph.type(graph[id].operands[1]).shape[2...] == [3, 3],
          let border = Self.border(conv, operands[0], in: new),
          let producer = new.producer(border.image), case .upsampleNearest = new[producer].op
        else { return nil }
        let name = graph[graph[id].results[0]].name
        let small = new[producer].operands[0]
        let read = graph[id].operands[0]
        let enlarged = conv.pad == 1 ? read : graph.producer(read).map { graph[$0].operands[0] } ?? read
        let isShared = [read, enlarged].contains { users[$0].count > 1 || graph.results.contains($0) }
        let isTransformed =
          context.precision == .q8 && !context.absentPasses.contains(Winograd.name)
          && Winograd.standard.takes(graph[id], in: graph, context)
        let refusal =
          isTransformed
          ? ("precision", "transformed filters of 8 bits do as well")
          : refusal(small, border.image, operands[1], isShared, in: new)
        if let (reason, message) = refusal {
          context.remark(reason, "convolution '%\(name)' is not split: \(message)")
          return nil
        }
        context.count("split")
        return [try split(small, operands, wrap: border.wrap, name: name, in: &new)]
      }
      result.inferRates()
      result.removeDeadNodes()
      module.graphs[index] = result
    }
  }

  /// The image that a convolution reads with one pixel around it, and the axes along which that is a ring.
  private static func border(
    _ conv: Conv2d, _ operand: ValueID, in graph: Graph
  ) -> (image: ValueID, wrap: [Int])? {
    if conv.pad == 1 { return (operand, []) }
    let one = [0, 1, 1, 0]
    guard conv.pad == 0, let producer = graph.producer(operand), case .pad(let pad) = graph[producer].op,
      pad.low == one, pad.high == one
    else { return nil }
    return (graph[producer].operands[0], pad.wrap)
  }

  private func refusal(
    _ small: ValueID, _ enlarged: ValueID, _ weight: ValueID, _ isShared: Bool, in graph: Graph
  ) -> (reason: String, message: String)? {
    let (from, to) = (graph.type(small).shape, graph.type(enlarged).shape)
    if to[1] != 2 * from[1] || to[2] != 2 * from[2] {
      return ("factor", "the image grows from \(from[1])×\(from[2]) to \(to[1])×\(to[2])")
    }
    if isShared { return ("shared", "'%\(graph[enlarged].name)' has other readers") }
    let weight = graph[weight]
    if weight.rate != .load {
      return ("rate", "'%\(weight.name)' is only known per \(weight.rate.name)")
    }
    return nil
  }

  private func split(
    _ small: ValueID, _ operands: [ValueID], wrap: [Int], name: String, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let shape = graph.type(small).shape
    let (n, h, w) = (shape[0], shape[1], shape[2])
    let padded = try graph.pad(small, low: [0, 1, 1, 0], high: [0, 1, 1, 0], wrap: wrap)
    var lines: [ValueID] = []
    for row in 0...1 {
      let rows = try graph.slice(padded, axis: 1, from: row, to: row + h + 1)
      let tall = try folded(operands[1], axis: 2, odd: row == 1, in: &graph)
      var pixels: [ValueID] = []
      for column in 0...1 {
        let window = try graph.slice(rows, axis: 2, from: column, to: column + w + 1)
        let taps = try folded(tall, axis: 3, odd: column == 1, in: &graph)
        let part = try graph.emit(
          .conv2d(Conv2d(stride: 1, pad: 0)), [window, taps] + operands.dropFirst(2))
        let channels = graph.type(part).lastExtent
        pixels.append(try graph.reshape(part, to: [n, h, 1, w, 1, channels]))
      }
      lines.append(try graph.concat(pixels, axis: 4))
    }
    let image = try graph.concat(lines, axis: 2)
    let channels = graph.type(image).lastExtent
    return try graph.reshape(image, to: [n, 2 * h, 2 * w, channels], name: name)
  }

  /// Three taps along an axis folded to the two that results of one parity need.
  private func folded(
    _ weight: ValueID, axis: Int, odd: Bool, in graph: inout Graph
  ) throws(Diagnostic) -> ValueID {
    let first = try graph.slice(weight, axis: axis, from: 0, to: 1)
    let middle = try graph.slice(weight, axis: axis, from: 1, to: 2)
    let last = try graph.slice(weight, axis: axis, from: 2, to: 3)
    return odd
      ? try graph.concat([try graph.add(first, middle), last], axis: axis)
      : try graph.concat([first, try graph.add(middle, last)], axis: axis)
  }
}
