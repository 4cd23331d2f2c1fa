// swift-tools-version: 6.0
import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func tests(_ target: String, _ extra: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: "\(target)Tests", dependencies: [.target(name: target), "TestSupport", "MoscFuzz"] + extra,
    path: "Tests/\(target)Tests", swiftSettings: settings)
}

let package = Package(
  name: "mosc",
  products: [.executable(name: "mosc", targets: ["mosc"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // C libraries.
    .target(name: "CLLVM", linkerSettings: [.linkedLibrary("LLVM-19")]),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),

    // The compiler.
    .target(name: "MoscIR", path: "IR", swiftSettings: settings),
    .target(name: "MoscPasses", dependencies: ["MoscIR"], path: "passes", swiftSettings: settings),
    .target(name: "MoscLLVM", dependencies: ["CLLVM"], swiftSettings: settings),
    .target(
      name: "MoscCodegen",
      dependencies: ["MoscIR", "MoscLLVM", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "MoscRuntime",
      dependencies: ["MoscIR", "CRelax"], swiftSettings: settings),
    .target(name: "CRelax"),
    .target(name: "MoscFuzz", dependencies: ["MoscIR"], swiftSettings: settings),

    // Models, files, sampling.
    .target(
      name: "MoscFormats",
      dependencies: ["CPNG", "CJPEG", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "MoscModel", dependencies: ["MoscIR", "MoscFormats"],
      resources: [.copy("Resources/base")], swiftSettings: settings),
    .target(name: "MoscSample", dependencies: ["MoscFormats"], swiftSettings: settings),
    .target(
      name: "MoscFuse", dependencies: ["MoscFormats", "COpenBLAS"], swiftSettings: settings),
    .target(
      name: "MoscTrain",
      dependencies: [
        "MoscIR", "MoscFormats", "MoscRuntime", .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: settings),

    // The program.
    .target(
      name: "MoscDriver",
      dependencies: [
        "MoscIR", "MoscPasses", "MoscLLVM", "MoscCodegen", "MoscRuntime", "MoscFormats",
        "MoscModel", "MoscSample", "MoscTrain", "MoscFuse", "MoscFuzz", "COpenBLAS",
        .product(name: "Crypto", package: "swift-crypto"),
      ], swiftSettings: settings),
    .executableTarget(
      name: "mosc",
      dependencies: [
        "MoscDriver", "MoscFormats", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], path: "tools/mosc", swiftSettings: settings),

    // Tests.
    .target(
      name: "TestSupport", dependencies: ["MoscFormats"], path: "Tests/Support",
      swiftSettings: settings),
    tests("MoscIR"),
    tests("MoscPasses"),
    tests("MoscCodegen", ["MoscIR", "MoscLLVM", "MoscPasses", "MoscRuntime"]),
    tests("MoscRuntime", ["MoscFormats"]),
    tests("MoscFormats"),
    tests("MoscModel", ["MoscDriver"]),
    tests("MoscSample", ["MoscFormats"]),
    tests("MoscTrain", ["MoscFormats", "MoscRuntime"]),
    tests("MoscFuse", ["MoscFormats"]),
    tests(
      "MoscDriver",
      ["MoscCodegen", "MoscFormats", "MoscIR", "MoscLLVM", "MoscModel", "MoscPasses"]),
  ]
)
