import MoscDiffusion
import MoscFormats
import MoscModel

/// The inputs that say where regional adapters act.
package struct RegionGates {
  private let adapters: RegionalAdapters

  package init(_ adapters: RegionalAdapters) { self.adapters = adapters }

  /// The gate of a resolution: at each position, for each slot, the share of the regions that carry its
  /// adapter.
  package func inputs(_ coverage: RegionCoverage) -> [String: HostArray] {
    let (cells, slots) = (coverage.height * coverage.width, adapters.slots)
    var gate = [Float](repeating: 0, count: cells * slots)
    for (region, own) in adapters.carried.enumerated() {
      for slot in own {
        for cell in 0..<cells {
          gate[cell * slots + slot] += coverage.shares[(region + 1) * cells + cell]
        }
      }
    }
    let name = UNet.gateName(coverage.height, coverage.width)
    return [name: HostArray(gate, shape: [cells, slots])]
  }

  /// Which contexts have which adapters in keys and values, the same for all tokens.
  package func contexts(_ count: Int, tokens: Int) -> [String: HostArray] {
    var gate: [Float] = []
    for context in 0..<count {
      let own = context > 0 && context <= adapters.carried.count ? adapters.carried[context - 1] : []
      let row = (0..<adapters.slots).map { own.contains($0) ? Float(1) : 0 }
      for _ in 0..<tokens { gate += row }
    }
    return [UNet.contextGateName: HostArray(gate, shape: [count * tokens, adapters.slots])]
  }
}
