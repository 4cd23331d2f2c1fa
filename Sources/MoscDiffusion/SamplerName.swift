/// The samplers that can be asked for; the raw value is the web UI's name, which metadata uses.
package enum SamplerName: String, CaseIterable, Hashable, Codable, Sendable {
  case ddim = "DDIM"
  case pndm = "PLMS"
  case euler = "Euler"
  case eulerAncestral = "Euler a"
  case heun = "Heun"
  case lms = "LMS"
  case dpmpp2M = "DPM++ 2M"
  case dpmpp2MSDE = "DPM++ 2M SDE"
  case uniPC = "UniPC"
  case lcm = "LCM"
  case ddpm = "DDPM"
  case dpmpp2SAncestral = "DPM++ 2S a"
  case dpmppSDE = "DPM++ SDE"
  case dpmpp3MSDE = "DPM++ 3M SDE"
  case dpm2 = "DPM2"
  case dpm2Ancestral = "DPM2 a"
  case deis = "DEIS"
  case ipndm = "IPNDM"
  case restart = "Restart"
  case tcd = "TCD"

  /// What a spelling asks for.
  package struct Choice: Hashable, Codable, Sendable, CustomStringConvertible {
    package var sampler: SamplerName
    /// How noise levels are placed, where the spelling says so.
    package var levels: SchedulerConfig.Levels?
    /// How timesteps are placed, where the spelling says so.
    package var spacing: SchedulerConfig.Spacing?

    package init(
      _ sampler: SamplerName, levels: SchedulerConfig.Levels? = nil, spacing: SchedulerConfig.Spacing? = nil
    ) {
      (self.sampler, self.levels, self.spacing) = (sampler, levels, spacing)
    }

    /// Reads what any of the programs calls a sampler; nil when none does.
    ///
    /// Upper and lower case are alike; the name of a schedule behind a name ("Karras") asks for such levels.
    package init?(spelling: String) {
      let name = SamplerName.fold(spelling)
      if let found = SamplerName.folded(name) {
        sampler = found
        if name == "ddimtrailing" { spacing = .trailing }
        return
      }
      for option in SchedulerConfig.Levels.allCases where option != .timesteps {
        for ending in option.spellings where name.hasSuffix(ending) {
          guard let found = SamplerName.folded(String(name.dropLast(ending.count))) else { continue }
          (sampler, levels) = (found, option)
          return
        }
      }
      return nil
    }

    /// The web UI's names.
    package var description: String {
      ([sampler.rawValue] + [levels?.title].compactMap(\.self)).joined(separator: " ")
    }

    /// Puts what the spelling says into the settings.
    package func apply(to config: inout SchedulerConfig) {
      if let levels { config.levels = levels }
      if let spacing { config.spacing = spacing }
    }
  }

  /// The sampler of a folded spelling.
  private static func folded(_ name: String) -> SamplerName? {
    allCases.first { $0.spellings.contains(name) }
  }

  /// Whether it goes by noise levels, so that they can be given one by one.
  package var takesLevels: Bool { ![.ddim, .pndm, .lcm, .ddpm, .tcd].contains(self) }

  /// Whether part of its noise can be left out.
  package var takesEta: Bool { [.ddim, .tcd].contains(self) }

  /// The spellings of diffusers (class), the web UI, k-diffusion and ComfyUI, and
  /// stable-diffusion.cpp, folded as `fold` does.
  private var spellings: Set<String> {
    switch self {
    case .ddim: ["ddim", "ddimscheduler", "ddimtrailing"]
    case .pndm: ["pndm", "plms", "pndmscheduler"]
    case .euler: ["euler", "eulerdiscretescheduler"]
    case .eulerAncestral: ["eulera", "eulerancestral", "eulerancestraldiscretescheduler"]
    case .heun: ["heun", "heundiscretescheduler"]
    case .lms: ["lms", "lmsdiscretescheduler"]
    case .dpmpp2M: ["dpmpp2m", "dpmsolvermultistepscheduler", "dpmsolverpp", "dpmsolver"]
    case .dpmpp2MSDE: ["dpmpp2msde", "dpmpp2msdegpu"]
    case .uniPC: ["unipc", "unipcbh2", "unipcmultistepscheduler"]
    case .lcm: ["lcm", "lcmscheduler"]
    case .ddpm: ["ddpm", "ddpmscheduler"]
    case .dpmpp2SAncestral: ["dpmpp2sa", "dpmpp2sancestral"]
    case .dpmppSDE: ["dpmppsde", "dpmppsdegpu", "dpmsolversdescheduler"]
    case .dpmpp3MSDE: ["dpmpp3msde", "dpmpp3msdegpu"]
    case .dpm2: ["dpm2", "kdpm2discretescheduler"]
    case .dpm2Ancestral: ["dpm2a", "dpm2ancestral", "kdpm2ancestraldiscretescheduler"]
    case .deis: ["deis", "deismultistep", "deismultistepscheduler"]
    case .ipndm: ["ipndm", "ipndmscheduler"]
    case .restart: ["restart"]
    case .tcd: ["tcd", "tcdscheduler"]
    }
  }

  /// Lower case without blanks, `_` and `-`, `+` as `p`, without `sample_` and `k_` before it.
  private static func fold(_ text: String) -> String {
    var name = text.lowercased()[...]
    for prefix in ["sample_", "k_"] where name.hasPrefix(prefix) {
      name.removeFirst(prefix.count)
    }
    return String(name.filter { !" _-".contains($0) }.map { $0 == "+" ? "p" : $0 })
  }

  /// The sampler that a diffusers configuration names.
  package static func named(by config: SchedulerConfig, className: String) -> SamplerName? {
    guard let found = Choice(spelling: className)?.sampler else { return nil }
    return found == .dpmpp2M && config.algorithm == .stochastic ? .dpmpp2MSDE : found
  }

  /// Why there cannot be so many steps; nil when there can.
  ///
  /// Solvers that divide by the distance of two noise levels need distinct ones, which no spacing gives for
  /// every number of steps. What a sampler makes of a single number shows it.
  package func obstacle(_ config: SchedulerConfig, steps: Int) -> String? {
    guard config.stepRange ~= steps else {
      return "the model has \(config.trainSteps) noise levels"
    }
    var scheduler = scheduler(config, steps: steps)
    var sample = [scheduler.initialNoiseScale]
    for step in scheduler.timesteps.indices {
      sample = scheduler.advance(sample, modelOutput: [0.1], step: step) { [0.1] }
      if sample.allSatisfy(\.isFinite) { continue }
      let spacing = config.spacing.map { " with \($0.rawValue) spacing" } ?? ""
      return "step \(step + 1) of \(rawValue)\(spacing) has no result, for its noise level is that of "
        + "another step; take fewer steps, or another spacing"
    }
    return nil
  }

  /// A scheduler of this kind.
  ///
  /// - Parameters:
  ///   - steps: beyond the configuration's range, the nearest number in it.
  ///   - eta: how much of its noise DDIM (usually none) or TCD puts back, 0 for none and 1 for all.
  package func scheduler(
    _ config: SchedulerConfig, steps: Int, eta: Double? = nil
  ) -> any Scheduler {
    let range = config.stepRange
    let steps = min(max(steps, range.lowerBound), range.upperBound)
    switch self {
    case .ddim: return DDIM(config, steps: steps, eta: eta ?? 0)
    case .pndm: return PNDM(config, steps: steps)
    case .euler: return Euler(config, steps: steps)
    case .eulerAncestral: return Euler(config, steps: steps, isAncestral: true)
    case .heun: return Heun(config, steps: steps)
    case .lms: return LinearMultistep(config, steps: steps)
    case .dpmpp2M, .dpmpp2MSDE:
      var config = config
      if self == .dpmpp2MSDE { config.algorithm = .stochastic }
      return DPMSolverMultistep(config, steps: steps)
    case .uniPC: return UniPC(config, steps: steps)
    case .lcm: return LCM(config, steps: steps)
    case .ddpm: return DDPM(config, steps: steps)
    case .dpmpp2SAncestral: return DPMSolverSinglestep(config, steps: steps, isStochastic: false)
    case .dpmppSDE: return DPMSolverSinglestep(config, steps: steps, isStochastic: true)
    case .dpmpp3MSDE: return DPMSolverSDE3M(config, steps: steps)
    case .dpm2: return DPMSolver2(config, steps: steps)
    case .dpm2Ancestral: return DPMSolver2(config, steps: steps, isAncestral: true)
    case .deis: return DEIS(config, steps: steps)
    case .ipndm: return IPNDM(config, steps: steps)
    case .restart: return Restart(config, steps: steps)
    case .tcd: return TCD(config, steps: steps, eta: eta ?? TCD.usualEta)
    }
  }
}
