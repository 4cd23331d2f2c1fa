import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// A condition image with the T2I-Adapter that reads it.
package struct SpatialCondition: Hashable, Codable, Sendable {
  /// The adapter's file.
  package var adapter: String
  /// A file, or the picture itself as `data:image/png;base64,…`.
  package var image: String
  /// The strength where no region says otherwise.
  package var strength = 1.0
  /// Strengths by box, `[top,left,bottom,right]-0.8|…`, as the reference spells them.
  package var boxes: String?

  package init(adapter: String, image: String) {
    self.adapter = adapter
    self.image = image
  }

  /// Pairs repeated options, in order.
  ///
  /// - Throws: a usage error when their numbers differ.
  package static func paired(
    adapters: [String], images: [String], strengths: [Double], boxes: [String]
  ) throws -> [SpatialCondition] {
    guard images.count == adapters.count else {
      throw CommandError.usage(
        "\(adapters.count) --t2i-adapter and \(images.count) --t2i-image: every adapter needs its "
          + "image")
    }
    for (option, count) in [("strength", strengths.count), ("region", boxes.count)]
    where count > adapters.count {
      throw CommandError.usage("\(count) --t2i-\(option) for \(adapters.count) --t2i-adapter")
    }
    return adapters.indices.map { index in
      var condition = SpatialCondition(adapter: adapters[index], image: images[index])
      if index < strengths.count { condition.strength = strengths[index] }
      if index < boxes.count { condition.boxes = boxes[index] }
      return condition
    }
  }
}

/// Condition images, read and checked, with the places at which they act.
package struct SpatialConditions: Sendable {
  private struct Part: Sendable {
    let condition: SpatialCondition
    let model: T2IAdapterModel
    let image: PixelImage
    let boxes: [(box: RegionBox, strength: Double)]
  }

  private let parts: [Part]

  package var isEmpty: Bool { parts.isEmpty }
  package var count: Int { parts.count }
  /// The size of the first image.
  package var size: (width: Int, height: Int)? { parts.first.map { ($0.image.width, $0.image.height) } }

  /// Opens adapters and images.
  package init(_ conditions: [SpatialCondition], unet: UNetConfig) throws {
    parts = try conditions.map { condition in
      let model = try T2IAdapterModel(URL(fileURLWithPath: condition.adapter))
      guard model.config.widths == unet.widths else {
        throw CommandError.failure(
          "'\(condition.adapter)' is for a U-Net of widths \(model.config.widths), this one has "
            + "\(unet.widths)")
      }
      let image = try PictureText(condition.image, "--t2i-image").image()
      var boxes: [(box: RegionBox, strength: Double)] = []
      if let text = condition.boxes {
        do {
          boxes = try RewriteText.strengths(text, width: image.width, height: image.height)
        } catch let error as PromptError {
          throw CommandError.usage("--t2i-region: \(error)")
        }
      }
      return Part(condition: condition, model: model, image: image, boxes: boxes)
    }
  }

  /// What is added to the levels of the U-Net: the adapters' maps, weighted place by place, summed.
  ///
  /// A region's strength holds inside of it; of overlapping ones the last counts.
  package func maps(_ plan: SamplePlan, _ compiler: Compiler) throws -> [HostArray] {
    var sums: [HostArray] = []
    for (index, part) in parts.enumerated() {
      let maps = try part.model.maps(of: pixels(part, plan), compiler)
      for (level, map) in maps.enumerated() {
        let (height, width, channels) = (map.shape[1], map.shape[2], map.shape[3])
        let strengths = strengths(part, index, plan, height, width)
        var values = map.floats
        for cell in 0..<height * width where strengths[cell] != 1 {
          for channel in cell * channels..<(cell + 1) * channels { values[channel] *= strengths[cell] }
        }
        if level < sums.count {
          values = zip(sums[level].floats, values).map { $0 + $1 }
          sums[level] = HostArray(values, shape: map.shape)
        } else {
          sums.append(HostArray(values, shape: map.shape))
        }
      }
    }
    return sums
  }

  private func strengths(
    _ part: Part, _ index: Int, _ plan: SamplePlan, _ height: Int, _ width: Int
  ) -> [Float] {
    var result = [Float](repeating: Float(part.condition.strength), count: height * width)
    var places = part.boxes.map { part in
      var region = Region(name: "", prompt: "")
      region.box = part.box
      return (box: plan.picture?.frame.cut(region).box ?? part.box, strength: part.strength)
    }
    for region in plan.regions where index < region.adapterStrengths.count {
      places.append((region.box ?? .full, region.adapterStrengths[index]))
    }
    for place in places {
      var region = Region(name: "", prompt: "")
      region.box = place.box
      let member = RegionCoverage.membership(region, height, width, plan.width, plan.rounding)
      for cell in result.indices where member[cell] > 0 { result[cell] = Float(place.strength) }
    }
    return result
  }

  /// The image in the picture's size, `[1,h,w,c]` in 0…1.
  private func pixels(_ part: Part, _ plan: SamplePlan) throws -> HostArray {
    var image = part.model.config.imageChannels == 1 ? part.image.gray : part.image.rgb
    if let frame = plan.picture?.frame {
      // It is of the whole picture, of which a part may be drawn.
      image = try frame.cut(try image.resized(width: frame.width, height: frame.height, .lanczos))
    } else if image.width != plan.width || image.height != plan.height {
      image = try image.resized(width: plan.width, height: plan.height, .lanczos)
    }
    return HostArray(
      image.pixels.map { Float($0) / 255 }, shape: [1, image.height, image.width, image.channels])
  }
}
