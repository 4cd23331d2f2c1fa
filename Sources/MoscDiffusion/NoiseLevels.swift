import Foundation

extension SchedulerConfig.Levels {
  /// Reads any program's name of a schedule; case, blanks, `_` and `-` do not matter.
  package init?(spelling: String) {
    let name = Self.fold(spelling)
    guard let found = Self.allCases.first(where: { $0.spellings.contains(name) }) else { return nil }
    self = found
  }

  /// The web UI's name of the schedule type, nil for the sampler's own.
  package var title: String? {
    switch self {
    case .timesteps: nil
    case .sgmUniform: "SGM Uniform"
    case .klOptimal: "KL Optimal"
    case .ddim: "DDIM"
    case .alignYourSteps: "Align Your Steps"
    default: rawValue.prefix(1).uppercased() + rawValue.dropFirst()
    }
  }

  /// The names of the web UI, ComfyUI and stable-diffusion.cpp, folded.
  var spellings: Set<String> {
    switch self {
    case .timesteps: ["discrete", "default", "automatic"]
    case .normal: ["normal", "uniform"]
    case .ddim: ["ddim", "ddimuniform"]
    case .alignYourSteps: ["alignyoursteps", "ays", "aysscheduler"]
    default: [Self.fold(rawValue)]
    }
  }

  private static func fold(_ text: String) -> String {
    text.lowercased().filter { !" _-".contains($0) }
  }
}

extension SigmaTable {
  /// The levels that a configuration asks for, or nil when it asks for none.
  ///
  /// Karras and exponential levels run from `a` to `b` as in diffusers; the others use the whole table and equal
  /// the web UI's and ComfyUI's. In particular: `beta` takes quantiles of Beta(0.6, 0.6) in σ (as the web UI
  /// and diffusers do, ComfyUI takes them in the timestep); `kl_optimal` ends in the least level before
  /// zero (ComfyUI; the web UI ends there without zero); polyexponential has ρ = 1, k-diffusion's default.
  /// - Source: Karras et al. 2022, eq. 5, ρ = 7; exponential: even in log σ; Lee et al. 2024 (beta); Sabour et
  ///   al. 2024, eq. for the KL bound of Gaussian data (kl_optimal).
  func respaced(
    _ config: SchedulerConfig, _ count: Int, from a: Double, to b: Double
  ) -> [Double]? {
    if let given = config.sigmas { return given }
    func ramp(_ i: Int) -> Double { count == 1 ? 0 : Double(i) / Double(count - 1) }
    let last = sigmas.count - 1
    func levels(_ level: (Int) -> Double) -> [Double] { (0..<count).map(level) }
    func geometric(_ a: Double, _ b: Double) -> [Double] {
      levels { exp(log(a) + ramp($0) * (log(b) - log(a))) }
    }
    switch config.levels {
    case .timesteps: return nil
    case .karras: return Self.karras(count, from: a, to: b)
    case .exponential: return geometric(a, b)
    case .polyexponential: return geometric(largest, smallest)
    case .normal: return levels { self.level(at: (1 - ramp($0)) * Double(last)) }
    case .sgmUniform: return levels { self.level(at: (1 - Double($0) / Double(count)) * Double(last)) }
    case .simple:
      return levels { self.sigmas[max(0, last - Int(Double($0) * Double(sigmas.count) / Double(count)))] }
    case .ddim:
      let stride = max(1, sigmas.count / count)
      return levels { self.sigmas[min(last, 1 + (count - 1 - $0) * stride)] }
    case .beta:
      return levels { smallest + BetaDistribution.quantile(1 - ramp($0)) * (largest - smallest) }
    case .klOptimal:
      return levels { tan(atan(largest) + ramp($0) * (atan(smallest) - atan(largest))) }
    case .alignYourSteps: return Self.alignYourSteps(count)
    }
  }

  /// Levels even in `σ^(1/7)`.
  static func karras(_ count: Int, from a: Double, to b: Double) -> [Double] {
    let (first, last) = (pow(a, 1 / 7.0), pow(b, 1 / 7.0))
    return (0..<count).map {
      pow(first + (count == 1 ? 0 : Double($0) / Double(count - 1)) * (last - first), 7)
    }
  }

  /// The levels that were optimised for Stable Diffusion 1.5 at ten steps, interpolated in log σ for others; the
  /// last of the table stands for zero. Ten steps equal diffusers' `AysSchedules`, others ComfyUI's.
  ///
  /// - Source: Sabour et al. 2024 (Align Your Steps), published table for Stable Diffusion 1.5.
  private static func alignYourSteps(_ count: Int) -> [Double] {
    let table = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
    return (0..<count).map { i in
      let place = Double(i * (table.count - 1)) / Double(count)
      let low = Int(place)
      let fraction = place - Double(low)
      return exp(log(table[low]) * (1 - fraction) + log(table[low + 1]) * fraction)
    }
  }
}

/// The distribution Beta(0.6, 0.6), by which noise levels are placed densely at both ends.
enum BetaDistribution {
  private static let shape = 0.6

  /// The value below which a share of the distribution lies.
  ///
  /// `I_x(a, a)` rises, so halving the interval finds it; the upper half mirrors the lower, where a power of the
  /// value keeps its relative precision.
  static func quantile(_ share: Double) -> Double {
    if share <= 0 { return 0 }
    if share >= 1 { return 1 }
    if share > 0.5 { return 1 - quantile(1 - share) }
    // x = y^(1/a) makes the share nearly linear in y.
    var (low, high) = (0.0, pow(0.5, shape))
    for _ in 0..<54 {
      let middle = (low + high) / 2
      if cumulative(pow(middle, 1 / shape)) < share { low = middle } else { high = middle }
    }
    return pow((low + high) / 2, 1 / shape)
  }

  /// `I_x(a, a)` for x ≤ ½: `x^a / (a·B(a, a)) · Σ (1 − a)_n · a / (n! · (a + n)) · xⁿ`.
  ///
  /// - Source: Abramowitz & Stegun 1964, 26.5.4 and 6.6.8.
  private static func cumulative(_ x: Double) -> Double {
    var (sum, factor, n) = (1.0, 1.0, 0.0)
    repeat {
      n += 1
      factor *= (n - shape) / n * x
      sum += factor * shape / (shape + n)
    } while factor > 1e-17
    return pow(x, shape) / (shape * complete) * sum
  }

  /// `B(a, a)`.
  private static let complete = tgamma(shape) * tgamma(shape) / tgamma(2 * shape)
}
