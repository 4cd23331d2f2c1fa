import Foundation
import MoscDiffusion
import MoscFormats
import MoscImages
import MoscModel
import MoscNetworks
import MoscReport

/// Where a report about regions goes.
package struct RegionReportOptions: Hashable, Codable, Sendable {
  /// A JSON file with figures.
  package var file: String?
  /// A picture of who has which share where.
  package var map: String?
  /// Whether the figures are kept for whoever draws, without a file.
  package var isKept = false

  package init() {}
}

/// The leak meter: how well regions keep to themselves in the first picture of a run.
///
/// In the last third of the steps it sums up, over the cross-attention layers of feature maps of up to
/// `RegionMeasure.mostPixels` pixels, how much the pixels attend to each word of a region's prompt, whether or not
/// the region is heard there. A word whose attention lies outside of its region is seen elsewhere in the
/// picture: it leaks. Of adapters it sums up the squares of what they add to the image.
package final class RegionMeter {
  private let plan: SamplePlan
  private let report: OutputFile?
  private let map: OutputFile?
  private let words: [(region: Int, text: String, positions: [Int])]
  /// Sums of attention by word, and of energy by adapter: inside and outside of the region.
  private var attention: [(inside: Double, outside: Double)]
  private var energy: [(inside: Double, outside: Double)]
  private var batches = 0
  private let warnings: [String]

  /// - Throws: for files that cannot be written; a usage error for a report without regions.
  init?(_ plan: SamplePlan, _ reading: PromptReading) throws {
    let options = plan.request.regions.report
    guard options.file != nil || options.map != nil || options.isKept else { return nil }
    guard !plan.regions.isEmpty else {
      throw CommandError.usage("--region-report and --region-map are about regions; there are none")
    }
    self.plan = plan
    report = try options.file.map { try OutputFile($0) }
    map = try options.map.map { try OutputFile($0, .picture) }
    words = try Self.words(plan, reading)
    attention = [(Double, Double)](repeating: (0, 0), count: words.count)
    energy = [(Double, Double)](repeating: (0, 0), count: plan.model.regional?.adapters.count ?? 0)
    warnings = try RegionSchedule(plan).warnings
  }

  /// The words that only one region's prompt has: concept words, else what stands between spaces and marks.
  private static func words(
    _ plan: SamplePlan, _ reading: PromptReading
  ) throws -> [(region: Int, text: String, positions: [Int])] {
    let tokenizer = try PromptTokenizer(plan.model)
    let concepts = try plan.model.words().map(\.text)
    let prompts = plan.batches[0][0].regions.map(\.prompt)
    let split = prompts.map { prompt in
      let own = concepts.filter { prompt.contains($0) }
      let rest = own.reduce(prompt) { $0.replacing($1, with: " ") }
      return own + rest.lowercased().split { !$0.isLetter }.map(String.init)
    }
    var result: [(region: Int, text: String, positions: [Int])] = []
    for (region, list) in split.enumerated() {
      var seen: Set<String> = []
      for word in list where seen.insert(word).inserted {
        let others = split.indices.filter { $0 != region && split[$0].contains(word) }
        let positions = try tokenizer.positions(of: word, in: prompts[region], reading)
        if others.isEmpty, !positions.isEmpty { result.append((region, word, positions)) }
      }
    }
    return result
  }

  /// Takes the measures of a call, of the first picture's first positive prediction.
  func see(_ maps: [String: HostArray], step: Int, _ script: PromptScript, _ count: Int) throws {
    if step == 0 { batches += 1 }
    guard batches == 1, step * 3 >= plan.calls * 2 else { return }
    let sample = script.negative == nil ? 0 : count
    let config = try plan.model.unet().config
    let active = plan.regions.map { $0.acts(step: step, of: plan.calls) }
    for (height, width) in config.resolutions(height: plan.latentHeight, width: plan.latentWidth) {
      let cells = height * width
      let shares = RegionSchedule.coverage(plan, active, height, width).shares
      if let map = maps[RegionMeasure.attention(cells)] {
        let (contexts, tokens, values) = (map.shape[1], map.shape[3], map.floats)
        for (index, word) in words.enumerated() {
          let start = (sample * contexts + word.region + 1) * cells
          for cell in 0..<cells {
            let sum = word.positions.reduce(Float(0)) { $0 + values[(start + cell) * tokens + $1] }
            let share = Double(shares[(word.region + 1) * cells + cell])
            // The mean of a resolution counts as much as that of another.
            attention[index].inside += share * Double(sum) / Double(cells)
            attention[index].outside += (1 - share) * Double(sum) / Double(cells)
          }
        }
      }
      guard let map = maps[RegionMeasure.energy(cells)], let regional = plan.model.regional else { continue }
      let (slots, values) = (map.shape[1], map.floats)
      for slot in energy.indices {
        let own = regional.carried.indices.filter { regional.carried[$0].contains(slot) }
        for cell in 0..<cells {
          let isInside = own.contains { shares[($0 + 1) * cells + cell] > 0 }
          let value = Double(values[(sample * slots + slot) * cells + cell])
          if isInside { energy[slot].inside += value } else { energy[slot].outside += value }
        }
      }
    }
  }

  // MARK: Results

  /// Writes what was asked for.
  func write() throws -> [OutputFile] {
    var written: [OutputFile] = []
    if let report { written.append(try report.put(Data((try json().description + "\n").utf8))) }
    if let map { written.append(try map.put(picture())) }
    return written
  }

  private func coverage(_ height: Int, _ width: Int) -> RegionCoverage {
    RegionSchedule.coverage(plan, [Bool](repeating: true, count: plan.regions.count), height, width)
  }

  /// The figures.
  package func json() throws -> JSONValue {
    let config = try plan.model.unet().config
    let sizes = config.attentionResolutions(height: plan.latentHeight, width: plan.latentWidth)
    let resolutions = sizes.map { height, width in
      let (cells, shares) = (height * width, coverage(height, width).shares)
      func mean(_ index: Int) -> Double {
        shares[index * cells..<(index + 1) * cells].reduce(0) { $0 + Double($1) } / Double(cells)
      }
      let regions = plan.regions.enumerated().map { index, region in
        JSONValue.fields([
          ("name", .string(region.name)),
          ("cells", .int(shares[(index + 1) * cells..<(index + 2) * cells].count { $0 > 0 })),
          ("share", .rounded(mean(index + 1))),
        ])
      }
      return JSONValue.fields([
        ("height", .int(height)), ("width", .int(width)), ("cells", .int(cells)),
        ("prompt_share", .rounded(mean(0))), ("regions", .array(regions)),
      ])
    }
    func fraction(_ sums: (inside: Double, outside: Double)) -> JSONValue {
      let total = sums.inside + sums.outside
      return total > 0 ? .rounded(sums.outside / total) : .null
    }
    let words = zip(words, attention).map { word, sums in
      JSONValue.fields([
        ("region", .string(plan.regions[word.region].name)), ("word", .string(word.text)),
        ("outside", fraction(sums)),
      ])
    }
    let adapters = zip(plan.model.regional?.adapters ?? [], energy).map { adapter, sums in
      JSONValue.fields([
        ("name", .string(adapter.name)), ("inside", .rounded(sums.inside)), ("outside", .rounded(sums.outside)),
      ])
    }
    return .fields([
      ("width", .int(plan.width)), ("height", .int(plan.height)),
      ("overlap", .string(plan.request.regions.overlap.rawValue)), ("resolutions", .array(resolutions)),
      ("words", .array(words)), ("adapters", .array(adapters)),
      ("warnings", .array(warnings.map(JSONValue.string))),
    ])
  }

  /// A colour for each region, mixed by shares; the picture's own prompt is white.
  private func picture() -> PixelImage {
    let (height, width) = (plan.latentHeight, plan.latentWidth)
    let (cells, shares) = (height * width, coverage(height, width).shares)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(plan.width * plan.height * 3)
    let colours = plan.regions.indices.map(Self.colour)
    for y in 0..<plan.height {
      for x in 0..<plan.width {
        let cell = y / plan.factor * width + x / plan.factor
        for channel in 0..<3 {
          var value = 255 * shares[cell]
          for (index, colour) in colours.enumerated() {
            value += colour[channel] * shares[(index + 1) * cells + cell]
          }
          pixels.append(UInt8(min(max(value.rounded(), 0), 255)))
        }
      }
    }
    return PixelImage(width: plan.width, height: plan.height, channels: 3, pixels: pixels)
  }

  /// Hues a golden section apart, so that neighbours in the list differ.
  private static func colour(_ index: Int) -> [Float] {
    let hue = (Float(index) * 0.618034 + 0.58).truncatingRemainder(dividingBy: 1) * 6
    return [Float(0), 4, 2].map { shift in
      let place = abs((hue + shift).truncatingRemainder(dividingBy: 6) - 3) - 1
      return 255 * (0.25 + 0.65 * min(max(place, 0), 1))
    }
  }
}
