/// The samplers that can be asked for, with every spelling in use.
package enum SamplerName: String, CaseIterable, Hashable, Sendable {
  case ddim = "DDIM"
  case pndm = "PNDM"
  case euler = "Euler"
  case eulerAncestral = "Euler a"
  case dpmpp2M = "DPM++ 2M"

  /// The spellings of other programs: diffusers class, k-diffusion or ComfyUI, stable-diffusion.cpp.
  private var aliases: [String] {
    switch self {
    case .ddim: ["ddim", "ddimscheduler", "ddim_trailing"]
    case .pndm: ["pndm", "plms", "pndmscheduler"]
    case .euler: ["euler", "k_euler", "eulerdiscretescheduler"]
    case .eulerAncestral:
      ["euler a", "euler_a", "euler_ancestral", "k_euler_a", "eulerancestraldiscretescheduler"]
    case .dpmpp2M:
      ["dpm++ 2m", "dpm++2m", "dpmpp_2m", "k_dpmpp_2m", "dpmsolvermultistepscheduler", "dpmsolver++"]
    }
  }

  /// The sampler of a spelling, upper and lower case alike; "Karras" after a name asks for Karras
  /// noise levels.
  package static func parse(_ text: String) -> (sampler: SamplerName, karras: Bool)? {
    var name = text.lowercased()
    var karras = false
    for suffix in [" karras", "_karras"] where name.hasSuffix(suffix) {
      name.removeLast(suffix.count)
      karras = true
    }
    guard let found = allCases.first(where: { $0.aliases.contains(name) }) else { return nil }
    return (found, karras)
  }

  /// A scheduler of this kind.
  package func scheduler(_ config: SchedulerConfig, steps: Int) -> any Scheduler {
    switch self {
    case .ddim: DDIM(config, steps: steps)
    case .pndm: PNDM(config, steps: steps)
    case .euler: Euler(config, steps: steps)
    case .eulerAncestral: Euler(config, steps: steps, isAncestral: true)
    case .dpmpp2M: DPMSolverMultistep(config, steps: steps)
    }
  }
}
