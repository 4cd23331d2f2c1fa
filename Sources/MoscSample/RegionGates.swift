import MoscDiffusion
import MoscFormats
import MoscModel

/// The inputs that say where regional adapters act.
package struct RegionGates {
  private let adapters: RegionalAdapters

  package init(_ adapters: RegionalAdapters) { self.adapters = adapters }

  /// The gates of a resolution: at each position the share of the regions that carry an adapter, for all
  /// coefficients of its slot.
  package func inputs(_ coverage: RegionCoverage) -> [String: HostArray] {
    let cells = coverage.height * coverage.width
    let slots = (0..<adapters.slots).map { slot in
      var share = [Float](repeating: 0, count: cells)
      for (region, own) in adapters.carried.enumerated() where own.contains(slot) {
        for cell in 0..<cells { share[cell] += coverage.shares[(region + 1) * cells + cell] }
      }
      return share
    }
    var result: [String: HostArray] = [:]
    for rank in adapters.gateRanks {
      var values: [Float] = []
      values.reserveCapacity(cells * slots.count * rank)
      for cell in 0..<cells {
        for slot in slots { values += repeatElement(slot[cell], count: rank) }
      }
      result[UNet.gateName(coverage.height, coverage.width, rank: rank)] = HostArray(
        values, shape: [cells, slots.count * rank])
    }
    return result
  }

  /// Which contexts have which adapters in keys and values, the same for all tokens.
  package func contexts(_ count: Int, tokens: Int) -> [String: HostArray] {
    var result: [String: HostArray] = [:]
    for rank in adapters.gateRanks {
      var values: [Float] = []
      for context in 0..<count {
        let own = context > 0 && context <= adapters.carried.count ? adapters.carried[context - 1] : []
        var row: [Float] = []
        for slot in 0..<adapters.slots {
          row += repeatElement(own.contains(slot) ? 1 : 0, count: rank)
        }
        for _ in 0..<tokens { values += row }
      }
      result[UNet.contextGateName(rank: rank)] = HostArray(
        values, shape: [count * tokens, adapters.slots * rank])
    }
    return result
  }
}
