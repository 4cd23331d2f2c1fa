// swift-tools-version: 6.0
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// What every feature is built on.
let feature: [Target.Dependency] = [
  "MoscIR", "MoscRuntime", "MoscFormats", "MoscImages", "MoscRandom", "MoscPrompts", "MoscModel",
  "MoscDiffusion",
  "MoscReport", "MoscEngine", "MoscNetworks", "MoscCluster",
]

/// The tests of a target, which may use others, too.
func tests(_ target: String, _ extra: [Target.Dependency] = []) -> Target {
  let others = extra.filter { if case .byNameItem(target, _) = $0 { false } else { true } }
  return .testTarget(
    name: "\(target)Tests", dependencies: [.target(name: target), "TestSupport", "MoscFuzz"] + others,
    path: "Tests/\(target)Tests", swiftSettings: settings)
}

let package = Package(
  name: "mosc",
  products: [.executable(name: "mosc", targets: ["mosc"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.4.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.83.0"),
  ],
  targets: [
    // C libraries.
    .target(name: "CLLVM", linkerSettings: [.linkedLibrary("LLVM-19")]),
    .target(name: "COpenBLAS"),
    .target(name: "CMPI"),
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
    .target(name: "CWebP", linkerSettings: [.linkedLibrary("webp")]),

    // The compiler.
    .target(name: "MoscIR", path: "IR", swiftSettings: settings),
    .target(name: "MoscPasses", dependencies: ["MoscIR"], path: "passes", swiftSettings: settings),
    .target(name: "MoscLLVM", dependencies: ["CLLVM"], swiftSettings: settings),
    .target(
      name: "MoscCodegen",
      dependencies: ["MoscIR", "MoscLLVM", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(name: "MoscRuntime", dependencies: ["CRelax"], swiftSettings: settings),
    .target(name: "CRelax"),
    .target(name: "MoscFuzz", dependencies: ["MoscIR"], swiftSettings: settings),

    // Running programs.
    .target(name: "MoscReport", dependencies: ["MoscFormats"], swiftSettings: settings),
    .target(
      name: "MoscEngine",
      dependencies: [
        "MoscIR", "MoscPasses", "MoscLLVM", "MoscCodegen", "MoscRuntime", "MoscFormats", "MoscReport",
        .product(name: "Crypto", package: "swift-crypto"),
      ], swiftSettings: settings),

    // Several processes.
    .target(
      name: "MoscCluster", dependencies: ["CMPI", "CZlib", "MoscFormats", "MoscReport", "MoscRuntime"],
      swiftSettings: settings),

    // Files, pictures and numbers.
    .target(
      name: "MoscFormats",
      dependencies: ["CMapping", "CZlib", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(name: "CMapping"),
    .target(
      name: "MoscImages", dependencies: ["CPNG", "CJPEG", "CWebP", "MoscFormats"], swiftSettings: settings),
    .target(name: "MoscRandom", swiftSettings: settings),
    .target(
      name: "MoscPrompts", dependencies: ["MoscFormats", "MoscRandom"], swiftSettings: settings),

    // Models and diffusion.
    .target(
      name: "MoscModel", dependencies: ["MoscIR", "MoscFormats"],
      resources: [.copy("Resources/base"), .copy("Resources/clip"), .copy("Resources/judge")], swiftSettings: settings),
    .target(name: "MoscDiffusion", dependencies: ["MoscFormats"], swiftSettings: settings),
    .target(
      name: "MoscNetworks",
      dependencies: [
        "MoscIR", "MoscFormats", "MoscReport", "MoscEngine", "MoscModel", "MoscDiffusion",
        "MoscPrompts",
      ],
      swiftSettings: settings),

    // The features.
    .target(name: "MoscSample", dependencies: feature, swiftSettings: settings),
    .target(
      name: "MoscTrain",
      dependencies: feature + ["MoscSample", .product(name: "Yams", package: "Yams")],
      swiftSettings: settings),
    .target(
      name: "MoscFuse", dependencies: feature + ["MoscSample", "MoscTrain", "COpenBLAS"],
      swiftSettings: settings),

    .target(name: "MoscEvaluate", dependencies: feature + ["MoscSample"], swiftSettings: settings),

    // What a file is, and what becomes of other programs' options.
    .target(
      name: "MoscInspect", dependencies: feature + ["MoscCodegen", "MoscTrain"],
      swiftSettings: settings),
    .target(
      name: "MoscCommandLines", dependencies: ["MoscFormats", "MoscReport", "MoscTrain"],
      swiftSettings: settings),

    // The server.
    .target(
      name: "MoscServer",
      dependencies: feature + [
        "MoscSample", "MoscTrain", "MoscFuse", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HummingbirdCore", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
      ], resources: [.embedInCode("Resources")], swiftSettings: settings),

    // The program.
    .target(
      name: "MoscDriver",
      dependencies: feature + [
        "MoscPasses", "MoscLLVM", "MoscCodegen", "MoscSample", "MoscTrain", "MoscFuse", "MoscFuzz",
        "MoscInspect", "COpenBLAS",
      ], resources: [.embedInCode("Resources/explorer.html")], swiftSettings: settings),
    .executableTarget(
      name: "mosc",
      dependencies: [
        "MoscDriver", "MoscInspect", "MoscCommandLines", "MoscServer", "MoscSample", "MoscTrain", "MoscFuse", "MoscEvaluate",
        "MoscNetworks", "MoscModel", "MoscDiffusion", "MoscPrompts", "MoscEngine", "MoscReport", "MoscCluster", "MoscRandom", "MoscImages", "MoscFormats",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "tools/mosc", swiftSettings: settings),

    // Tests.
    .target(
      name: "TestSupport", dependencies: ["MoscFormats"], path: "Tests/Support",
      swiftSettings: settings),
    .target(
      name: "RunSupport", dependencies: feature + ["TestSupport", "MoscSample"],
      path: "Tests/RunSupport", swiftSettings: settings),
    tests("MoscIR"),
    tests("MoscPasses"),
    tests("MoscCodegen", ["MoscIR", "MoscLLVM", "MoscPasses", "MoscRuntime"]),
    tests("MoscRuntime"),
    tests("MoscFormats"),
    tests("MoscImages", ["MoscFormats"]),
    tests("MoscRandom", ["MoscFormats"]),
    tests("MoscPrompts", ["MoscFormats"]),
    tests("MoscReport"),
    tests("MoscCluster", ["MoscReport", "MoscFormats", "RunSupport"]),
    tests("MoscEngine", feature + ["MoscCodegen", "MoscLLVM", "MoscPasses", "RunSupport"]),
    tests("MoscModel", feature),
    tests("MoscDiffusion", ["MoscFormats"]),
    tests("MoscNetworks", feature + ["MoscLLVM", "MoscSample", "MoscDriver", "RunSupport"]),
    tests("MoscSample", feature + ["MoscDriver", "RunSupport"]),
    tests("MoscTrain", feature + ["MoscSample", "MoscDriver", "RunSupport"]),
    tests("MoscFuse", feature + ["MoscSample", "MoscDriver", "RunSupport"]),
    tests("MoscServer", feature + ["MoscSample"]),
    tests("MoscEvaluate", feature + ["MoscSample", "RunSupport"]),
    tests("MoscDriver", feature + ["MoscInspect", "MoscCommandLines", "MoscCodegen", "MoscLLVM", "MoscPasses", "MoscSample", "MoscTrain", "MoscFuse", "RunSupport"]),
  ]
)
