import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscReport

/// The coverage tensors of every step: they change where a region begins or ends to act.
package struct RegionSchedule {
  private let plan: SamplePlan
  private let resolutions: [(height: Int, width: Int)]
  private let gates: RegionGates?
  /// The sizes of feature maps that gates are made for.
  private let gated: [(height: Int, width: Int)]
  /// Regions that cover nothing at some resolution.
  package let warnings: [String]

  /// - Throws: when a region has no effect at any resolution or step.
  package init(_ plan: SamplePlan) throws {
    self.plan = plan
    gates = plan.model.regional.map(RegionGates.init)
    gated =
      gates == nil
      ? [] : try plan.model.unet().config.resolutions(height: plan.latentHeight, width: plan.latentWidth)
    guard !plan.regions.isEmpty else {
      resolutions = []
      warnings = []
      return
    }
    resolutions = try plan.model.unet().config.attentionResolutions(
      height: plan.latentHeight, width: plan.latentWidth)
    let all = [Bool](repeating: true, count: plan.regions.count)
    var missing: [Int: [String]] = [:]
    var smallest: [Int: (share: Double, place: String)] = [:]
    for (height, width) in resolutions {
      let coverage = Self.coverage(plan, all, height, width)
      for index in coverage.empty { missing[index, default: []].append("\(width)x\(height)") }
      let cells = height * width
      for index in plan.regions.indices {
        let own = coverage.shares[(index + 1) * cells..<(index + 2) * cells].count { $0 > 0 }
        let share = Double(own) / Double(cells)
        if share < smallest[index]?.share ?? 2 { smallest[index] = (share, "\(width)x\(height)") }
      }
    }
    let steps = plan.calls
    var warnings: [String] = []
    if !plan.usesGuidance, let region = plan.regions.first(where: { $0.guidance != nil }) {
      throw CommandError.usage(
        "\(region.name) has a guidance of its own, which needs --cfg-scale above 1 for the picture")
    }
    for (index, region) in plan.regions.enumerated() {
      let places = missing[index] ?? []
      if places.count == resolutions.count || region.weight <= 0 {
        throw CommandError.usage(
          "\(region.name) has no effect: "
            + (region.weight <= 0
              ? "its weight is 0" : "it covers no cell at any resolution (\(places.joined(separator: ", ")))"))
      }
      if !(0..<steps).contains(where: { region.acts(step: $0, of: steps) }) {
        throw CommandError.usage(
          "\(region.name) has no effect: none of the \(steps) calls of the model is between "
            + "\(region.steps.lowerBound) and \(region.steps.upperBound)")
      }
      if !places.isEmpty {
        warnings.append(
          "\(region.name) covers no cell at resolution \(places.joined(separator: ", ")): "
            + "the picture's prompt acts there")
      } else if let (share, place) = smallest[index], share < Self.smallShare {
        warnings.append(
          "\(region.name) has only \(String(format: "%.1f", share * 100)) % of the cells at resolution "
            + "\(place): what is so small may not be seen")
      }
    }
    self.warnings = warnings
  }

  /// The share of cells below which a region is said to be small.
  static let smallShare = 0.02

  /// Which regions act at a step.
  private func active(_ step: Int) -> [Bool] {
    plan.regions.map { $0.acts(step: step, of: plan.calls) }
  }

  /// Whether a step has other coverage than the step before.
  package func changes(at step: Int) -> Bool {
    step == 0 || active(step) != active(step - 1)
  }

  /// The coverage inputs of a step that differ from those of the step before, and the gates of regional
  /// adapters; all at the first.
  package func inputs(changingAt step: Int) -> [String: HostArray] {
    if plan.regions.isEmpty { return [:] }
    let active = active(step)
    guard changes(at: step) else { return [:] }
    var result: [String: HostArray] = [:]
    let contexts = UNet.bucket(regions: plan.regions.count) + 1
    for (height, width) in resolutions {
      let coverage = Self.coverage(plan, active, height, width)
      let missing = (contexts - plan.regions.count - 1) * height * width
      result[UNet.coverageName(height, width)] = HostArray(
        coverage.shares + [Float](repeating: 0, count: missing), shape: [contexts, height * width])
    }
    if let gates {
      for (height, width) in gated {
        result.merge(gates.inputs(Self.coverage(plan, active, height, width))) { $1 }
      }
    }
    return result
  }

  /// The inputs of regional adapters that stay the same for all steps.
  package func constantInputs(tokens: Int) -> [String: HostArray] {
    gates?.contexts(UNet.bucket(regions: plan.regions.count) + 1, tokens: tokens) ?? [:]
  }

  static func coverage(
    _ plan: SamplePlan, _ active: [Bool], _ height: Int, _ width: Int
  ) -> RegionCoverage {
    RegionCoverage(
      plan.regions, active: active, height: height, width: width, pictureWidth: plan.width,
      rounding: plan.rounding, overlap: plan.request.regions.overlap)
  }
}
