import CLLVM

/// What code generation needs to know about one processor.
package struct TargetFacts: Hashable, Sendable {
  /// The name LLVM knows the processor by.
  package var cpu: String
  /// LLVM feature string, `+avx2,-sse4a,…`; empty means what the processor name implies.
  package var features: String
  /// The number of `f32` lanes of the widest vector register: 16, 8 or 4.
  package var lanes: Int
  /// The number of vector registers: 32 or 16.
  package var vectorRegisters: Int
  /// Whether `vdpbf16ps` and `vcvtneps2bf16` exist.
  package var hasBF16Dot: Bool
  /// Whether `vpdpbusd` exists, for the widest vectors.
  package var hasByteDot: Bool
  /// Whether fused multiply-add is one instruction.
  package var hasFMA: Bool
  /// Whether half-precision conversions are instructions.
  package var hasF16Conversion: Bool

  /// The names `init(cpu:)` accepts besides `native`.
  package static let knownCPUs: [String] = cpuLevels.keys.sorted()

  /// The facts of a named processor, or of the running one for `native`.
  ///
  /// - Parameter attributes: LLVM features to add or leave out, such as `+avx2,-avx512f`.
  package init(cpu name: String, attributes: String = "") throws(LLVMError) {
    let isNative = name == "native"
    guard var level = isNative ? Self.level(of: Self.hostFeatures) : Self.cpuLevels[name] else {
      throw .unknownCPU(name)
    }
    var hasByteDot = isNative ? Self.hasByteDot(Self.hostFeatures) : Self.byteDotCPUs.contains(name)
    var features = isNative ? [Self.hostFeatures] : []
    for attribute in attributes.split(separator: ",") {
      let feature = attribute.dropFirst()
      guard let sign = attribute.first, sign == "+" || sign == "-",
        Self.knownFeatures.contains(String(feature))
      else { throw .unknownFeature(String(attribute)) }
      features.append(String(attribute))
      guard sign == "-" else { continue }
      if feature == "avx512vnni" || feature == "avxvnni" { hasByteDot = false }
      if feature == "avx512bf16" { level = Swift.min(level, .avx512) }
      if Self.wide.contains(feature) { level = Swift.min(level, .avx2) }
      if Self.middle.contains(feature) { level = .portable }
    }
    self.init(
      level: level, hasByteDot: hasByteDot, cpu: isNative ? Self.hostCPU : name,
      features: features.joined(separator: ","))
  }

  private static let wide: Set<Substring> = ["avx512f", "avx512bw", "avx512dq", "avx512vl"]
  private static let middle: Set<Substring> = ["avx", "avx2", "fma", "f16c"]
  /// The features LLVM tells of the running processor, with or without them.
  private static let knownFeatures = Set(
    hostFeatures.split(separator: ",").map { String($0.dropFirst()) })

  private init(level: Level, hasByteDot: Bool, cpu: String, features: String) {
    self.cpu = cpu
    self.features = features
    switch level {
    case .avx512BF16, .avx512: (lanes, vectorRegisters) = (16, 32)
    case .avx2: (lanes, vectorRegisters) = (8, 16)
    case .portable: (lanes, vectorRegisters) = (4, 16)
    }
    hasBF16Dot = level == .avx512BF16
    // The instructions for 256 bits are not those of 512-bit processors without the wide level.
    self.hasByteDot = hasByteDot && level != .portable
    hasFMA = level != .portable
    hasF16Conversion = level != .portable
  }

  private static func level(of features: String) -> Level {
    let enabled = Set(
      features.split(separator: ",").filter { $0.hasPrefix("+") }.map { $0.dropFirst() })
    return if wide.isSubset(of: enabled) && enabled.isSuperset(of: ["fma", "f16c"]) {
      enabled.contains("avx512bf16") ? .avx512BF16 : .avx512
    } else if enabled.isSuperset(of: ["avx2", "fma", "f16c"]) {
      .avx2
    } else {
      .portable
    }
  }

  private static func hasByteDot(_ features: String) -> Bool {
    let enabled = Set(features.split(separator: ","))
    return level(of: features) >= .avx512
      ? enabled.contains("+avx512vnni") : enabled.contains("+avxvnni")
  }

  /// Whether code for these facts can run in this process.
  package var runsOnHost: Bool {
    let host = TargetFacts(
      level: Self.level(of: Self.hostFeatures), hasByteDot: Self.hasByteDot(Self.hostFeatures),
      cpu: Self.hostCPU, features: "")
    return lanes <= host.lanes && (!hasBF16Dot || host.hasBF16Dot) && (!hasFMA || host.hasFMA)
      && (!hasByteDot || host.hasByteDot)
  }

  /// The name of the running processor.
  package static let hostCPU: String = LLVMError.takeMessage(LLVMGetHostCPUName())
  /// The feature string of the running processor.
  package static let hostFeatures: String = LLVMError.takeMessage(LLVMGetHostCPUFeatures())

  /// What code generation tells apart, the least first.
  private enum Level: Comparable { case portable, avx2, avx512, avx512BF16 }

  private static let byteDotCPUs: Set<String> = [
    "alderlake", "raptorlake", "meteorlake", "cascadelake", "icelake-client", "icelake-server",
    "tigerlake", "rocketlake", "cooperlake", "sapphirerapids", "emeraldrapids", "graniterapids",
    "znver4",
  ]

  private static let cpuLevels: [String: Level] = [
    "x86-64": .portable, "x86-64-v2": .portable, "nehalem": .portable, "sandybridge": .portable,
    "x86-64-v3": .avx2, "haswell": .avx2, "broadwell": .avx2, "skylake": .avx2,
    "alderlake": .avx2, "raptorlake": .avx2, "meteorlake": .avx2,
    "znver1": .avx2, "znver2": .avx2, "znver3": .avx2,
    "x86-64-v4": .avx512, "skylake-avx512": .avx512, "cascadelake": .avx512,
    "icelake-client": .avx512, "icelake-server": .avx512, "tigerlake": .avx512,
    "rocketlake": .avx512,
    "cooperlake": .avx512BF16, "sapphirerapids": .avx512BF16, "emeraldrapids": .avx512BF16,
    "graniterapids": .avx512BF16, "znver4": .avx512BF16,
  ]
}
