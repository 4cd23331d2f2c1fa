import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport

extension ComponentKind {
  /// The tensors the component takes, as files name them.
  package var inputs: [Port] {
    switch self {
    case .textEncoder: [Port("input_ids", .tokens, isInteger: true)]
    case .unet:
      [Port("sample", .image), Port("timestep", .perSample), Port("encoder_hidden_states", .tokens)]
    case .vaeEncoder: [Port("image", .image)]
    case .vaeDecoder: [Port("latents", .image)]
    }
  }

  /// The tensors the component of a model takes.
  package func inputs(of model: DiffusersModel) throws -> [Port] {
    guard self == .unet, try model.unet().config.guidanceWidth != nil else { return inputs }
    return inputs + [Port(GuidanceEmbedding.input, .rows)]
  }

  /// The tensors the component gives.
  package var outputs: [Port] {
    switch self {
    case .textEncoder: [Port("last_hidden_state", .tokens)]
    case .unet: [Port("noise_pred", .image)]
    case .vaeEncoder: [Port("moments", .image)]
    case .vaeDecoder: [Port("image", .image)]
    }
  }
}

/// A tensor of a component: its name, and its layout in files.
package struct Port: Hashable, Sendable {
  /// How the tensor lies in files; inside mosc images are `[n,h,w,c]`.
  package enum Layout: Hashable, Sendable {
    /// `[n,c,h,w]`.
    case image
    /// `[n,t]`, `[n,t,c]` or, with one text per layer, `[n,l,t,c]`; the same on both sides.
    case tokens
    /// `[n,c]`; the same on both sides.
    case rows
    /// One number for all samples, `[]` or `[1]`, or one for each, `[n]`.
    case perSample
  }

  package var name: String
  package var layout: Layout
  package var isInteger: Bool

  package init(_ name: String, _ layout: Layout, isInteger: Bool = false) {
    self.name = name
    self.layout = layout
    self.isInteger = isInteger
  }

  /// The tensor as the component reads it.
  ///
  /// - Throws: `CommandError.failure` when its rank or element type does not fit.
  package func imported(_ array: HostArray, batch: Int) throws -> HostArray {
    switch layout {
    case .image:
      guard array.shape.count == 4 else { throw unfit(array, "[n,c,h,w]") }
      return array.channelsLast
    case .tokens:
      if isInteger {
        guard array.shape.count == 2 else { throw unfit(array, "[n,t]") }
        return array
      }
      guard 3...4 ~= array.shape.count else { throw unfit(array, "[n,t,c] or [n,layers,t,c]") }
      return array
    case .rows:
      guard array.shape.count == 2, array.shape[0] == batch else { throw unfit(array, "[\(batch),c]") }
      return array
    case .perSample:
      let values = array.floats
      guard array.shape.count <= 1, values.count == 1 || values.count == batch else {
        throw unfit(array, "one number, or \(batch) for \(batch) samples")
      }
      let all = values.count == batch ? values : [Float](repeating: values[0], count: batch)
      return HostArray(all, shape: [batch])
    }
  }

  /// The tensor as files hold it.
  package func exported(_ array: HostArray) -> HostArray {
    layout == .image && array.shape.count == 4 ? array.channelsFirst : array
  }

  private func unfit(_ array: HostArray, _ expected: String) -> CommandError {
    CommandError.failure("tensor '\(name)' has shape \(array.shape), expected \(expected)")
  }
}
