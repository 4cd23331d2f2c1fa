import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscReport
import TestSupport
import Testing

/// Gradients of whole blocks, differentiated, fused and compiled, against PyTorch's: of every input
/// and of every weight, with `loss = Σ y · gy`.
@Suite(.serialized) struct GradientGoldenTests {
  typealias Build = @Sendable (inout ModelBuilder, [ValueID]) throws -> ValueID

  /// One recorded case.
  struct Case: Sendable {
    var name: String
    var inputs: [String]
    /// Whether tensors of rank 4 are images.
    var hasImages = true
    /// Other tensors of the case that are inputs without a gradient.
    var data: [String] = []
    var build: Build

    init(
      _ name: String, _ inputs: [String] = ["x"], images: Bool = true, data: [String] = [],
      _ build: @escaping Build
    ) {
      self.name = name
      self.inputs = inputs
      hasImages = images
      self.data = data
      self.build = build
    }
  }

  static let cases: [Case] =
    layers + pointwise + attention + blocks + losses

  static let layers: [Case] = [
    Case("linear") { b, x in try b.linear(x[0], "linear.w", out: 24) },
    Case("conv3x3") { b, x in try b.conv(x[0], "conv3x3.w", out: 24) },
    Case("conv1x1") { b, x in try b.conv(x[0], "conv1x1.w", out: 24, kernel: 1) },
    Case("group_norm") { b, x in
      try b.groupNorm(x[0], "group_norm.w", groups: 4, eps: 1e-5)
    },
    Case("group_norm_silu") { b, x in
      try b.graph.silu(try b.groupNorm(x[0], "group_norm_silu.w", groups: 4, eps: 1e-6))
    },
    Case("layer_norm") { b, x in try b.layerNorm(x[0], "layer_norm.w") },
    Case("geglu") { b, x in
      try b.graph.geglu(try b.linear(x[0], "geglu.w.proj", out: 48))
    },
    Case("lora_linear") { b, x in
      let base = try b.linear(x[0], "lora_linear.w.base", out: 24)
      let down = try b.weight("lora_linear.w.down.weight", 4, 24)
      let up = try b.weight("lora_linear.w.up.weight", 24, 4)
      let scale = try b.graph.constant(0.7, .f32(1))
      return try b.graph.lora(base, input: x[0], down: down, up: up, scale: scale)
    },
    Case("time_embedding", ["t"]) { b, x in
      let sinusoids = try b.graph.timestepEmbedding(x[0], dim: 16, flipSinToCos: true, shift: 0)
      let h = try b.linear(sinusoids, "time_embedding.w.linear_1", out: 24)
      return try b.linear(try b.graph.silu(h), "time_embedding.w.linear_2", out: 24)
    },
  ]

  static let pointwise: [Case] = [
    Case("silu") { b, x in try b.graph.silu(x[0]) },
    Case("gelu_erf") { b, x in try b.graph.gelu(x[0]) },
    Case("quick_gelu") { b, x in try b.graph.quickGelu(x[0]) },
    Case("softmax") { b, x in try b.graph.softmax(x[0]) },
    Case("nearest_2x") { b, x in try b.graph.upsampleNearest(x[0], height: 12, width: 10) },
    Case("nearest_size") { b, x in try b.graph.upsampleNearest(x[0], height: 11, width: 9) },
  ]

  static let attention: [Case] = [
    Case("sdpa", ["q", "k", "v"], images: false) { b, x in
      try heads(x, causal: false, in: &b.graph)
    },
    Case("sdpa_causal", ["q", "k", "v"], images: false) { b, x in
      try heads(x, causal: true, in: &b.graph)
    },
    Case("self_attention") { b, x in
      try AttentionBlock(heads: 3)(x[0], "self_attention.w", in: &b)
    },
    Case("cross_attention", ["x", "context"]) { b, x in
      try AttentionBlock(heads: 3)(x[0], source: x[1], "cross_attention.w", in: &b)
    },
    Case("vae_attention") { b, x in
      try PixelAttention(groups: 4, eps: 1e-6)(x[0], "vae_attention.w", in: &b)
    },
  ]

  static let blocks: [Case] = [
    Case("basic_transformer_block", ["x", "context"]) { b, x in
      try TransformerBlock(heads: 3)(x[0], context: x[1], "basic_transformer_block.w", in: &b)
    },
    Case("transformer_2d", ["x", "context"]) { b, x in
      let block = SpatialTransformer(heads: 3, groups: 8, usesLinearProjection: false)
      return try block(x[0], contexts: [x[1]], "transformer_2d.w", in: &b)
    },
    Case("resnet_block", ["x", "temb"]) { b, x in
      let active = try b.graph.silu(x[1])
      return try ResnetBlock(out: 24, groups: 4, eps: 1e-5)(
        x[0], embedding: active, "resnet_block.w", in: &b)
    },
    Case("resnet_block_vae") { b, x in
      try ResnetBlock(out: 16, groups: 4, eps: 1e-6)(x[0], "resnet_block_vae.w", in: &b)
    },
    Case("downsample_unet") { b, x in try b.downsample(x[0], "downsample_unet.w") },
    Case("downsample_vae") { b, x in try b.downsampleAsymmetric(x[0], "downsample_vae.w") },
    Case("upsample") { b, x in try b.upsample(x[0], height: 12, width: 10, "upsample.w") },
  ]

  static let losses: [Case] = [
    Case("mse", data: ["target"]) { b, x in
      let d = try b.graph.sub(x[0], x[1])
      let sum = try b.graph.reduceSum(try b.graph.mul(d, d), axes: [0, 1, 2, 3])
      return try b.graph.scaled(
        try b.graph.reshape(sum, to: [1]), by: 1 / Double(b.type(x[0]).count))
    },
    // Per sample Σ m d² / Σ m, over channels above and over one mask channel below; then the mean.
    Case("masked_mse_official", data: ["target", "mask"]) { b, x in
      let d = try b.graph.sub(x[0], x[1])
      let masked = try b.graph.mul(try b.graph.mul(d, d), x[2])
      let above = try b.graph.reduceSum(masked, axes: [1, 2, 3])
      let below = try b.graph.reduceSum(x[2], axes: [1, 2, 3])
      let mean = try b.graph.reduceSum(try b.graph.div(above, below), axes: [0])
      return try b.graph.scaled(try b.graph.reshape(mean, to: [1]), by: 0.5)
    },
  ]

  /// Attention of operands `[n,h,t,d]`.
  private static func heads(
    _ x: [ValueID], causal: Bool, in graph: inout Graph
  ) throws -> ValueID {
    let tokens = try x.map { value in
      let s = graph.type(value).shape
      return try graph.reshape(
        try graph.transpose(value, axes: [0, 2, 1, 3]), to: [s[0], s[2], s[1] * s[3]])
    }
    let s = graph.type(x[0]).shape
    let y = try graph.attention(
      tokens[0], keys: tokens[1], values: tokens[2], heads: s[1], causal: causal)
    let split = try graph.reshape(y, to: [s[0], s[2], s[1], s[3]])
    return try graph.transpose(split, axes: [0, 2, 1, 3])
  }

  @Test(arguments: cases.map(\.name)) func matchesPyTorch(_ name: String) throws {
    let test = try #require(Self.cases.first { $0.name == name })
    try check(test, cpu: "native")
  }

  @Test(arguments: ["transformer_2d", "resnet_block", "sdpa_causal", "downsample_unet"])
  func matchesPyTorchOnOlderProcessors(_ name: String) throws {
    let test = try #require(Self.cases.first { $0.name == name })
    try check(test, cpu: "x86-64-v3")
  }

  @Test func textEncoder() throws {
    let file = try SafetensorsFile(Goldens.url("diffusers/gradients.safetensors"))
    let config = try TextEncoderConfig(
      reader(
        """
        {"vocab_size": 50, "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2,
         "num_attention_heads": 3, "max_position_embeddings": 15, "hidden_act": "quick_gelu"}
        """))
    let spelling = Spelling.prefix("text_model.", stored: "clip_text.w.")
    var golden = weights(file, [spelling])
    var graph = try TextEncoder(config).graph(TextEncoder.Shape(batch: 2), &golden)
    let y = graph.results[0]
    let inputs = ["input_ids": try file.tensor("clip_text.in.ids")]
    try compare(&graph, y, wanted: [], inputs, "clip_text", file, images: false, cpu: "native")
  }

  /// Every recorded case is one of these.
  @Test func noCaseIsLeftOut() throws {
    let file = try SafetensorsFile(Goldens.url("diffusers/gradients.safetensors"))
    let recorded = Set(file.entries.map { String($0.name.prefix { $0 != "." }) })
    #expect(recorded == Set(Self.cases.map(\.name) + ["clip_text"]))
  }

  private func check(_ test: Case, cpu: String) throws {
    let file = try SafetensorsFile(Goldens.url("diffusers/gradients.safetensors"))
    var b = ModelBuilder(test.name, weights(file))
    var inputs: [String: HostTensor] = [:]
    func parameter(_ name: String, _ stored: String) throws -> ValueID {
      let value =
        test.hasImages ? try file.activation(stored) : try file.tensor(stored)
      inputs[name] = value
      return b.graph.parameter(name, value.type)
    }
    let x = try test.inputs.map { try parameter("in.\($0)", "\(test.name).in.\($0)") }
    let data = try test.data.map { try parameter($0, "\(test.name).\($0)") }
    let y = try test.build(&b, x + data)
    let wanted = zip(test.inputs, x).filter { $0.0 != "t" }
    try compare(
      &b.graph, y, wanted: wanted.map { ("in.\($0.0)", $0.1) }, inputs, test.name, file,
      images: test.hasImages, cpu: cpu)
  }

  private func norm(_ elements: [Double]) -> Double {
    elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// Requests the gradients of the wanted values and of all weights, compiles, runs, compares.
  private func compare(
    _ graph: inout Graph, _ y: ValueID, wanted: [(name: String, id: ValueID)],
    _ inputs: [String: HostTensor], _ name: String, _ file: SafetensorsFile, images: Bool,
    cpu: String
  ) throws {
    func recorded(_ key: String) throws -> HostTensor {
      let isWeight = key.contains(".w.")
      return images && !isWeight ? try file.activation(key) : try file.tensor(key)
    }
    var inputs = inputs
    inputs["gy"] = try recorded("\(name).gy")
    let gy = graph.parameter("gy", graph.type(y))
    let axes = Array(graph.type(y).shape.indices)
    let loss = try graph.reduceSum(try graph.mul(y, gy), axes: axes)
    var wanted = wanted
    for id in graph.order {
      guard case .param(let param) = graph[id].op else { continue }
      wanted.append((String(param.name.dropFirst(name.count + 1)), graph[id].results[0]))
    }
    let gradients = try graph.gradient(loss, wanted.map(\.id))
    graph.results = [y] + gradients
    graph.resultNames = ["y"] + wanted.map { "grad.\($0.name)" }
    let module = Module(
      weights: [WeightsDeclaration(name: "golden", path: file.url.path)], graphs: [graph])

    var options = CompilationOptions()
    options.cpu = cpu
    options.cacheFolder = SharedKernels.folder
    options.verifiesEach = true
    let reporter = Reporter.silent
    let compiler = try Compiler(options, precision: .f32, reporter)
    let compiled = try compiler.compile(module, function: graph.name)
    let program = try Program(
      compiled, weights: WeightFiles(["golden": file]), on: compiler)
    let results = try program.run(
      inputs.mapValues { value in
        value.type.dtype == .i32
          ? HostArray(value.elements.map { Int32($0) }, shape: value.type.shape)
          : HostArray(value.elements.map { Float($0) }, shape: value.type.shape)
      })
    for label in graph.resultNames {
      let found = try #require(results[label])
      let expected = try recorded("\(name).\(label)")
      let value = HostTensor(TensorType(.f32, found.shape), found.floats.map(Double.init))
      #expect(value.type.shape == expected.type.shape)
      // Moving all keys alike changes no probability: these gradients are zero but for rounding.
      let isZero = label.hasSuffix("to_k.bias") || label.hasSuffix("k_proj.bias")
      let size = isZero ? Double(expected.type.count).squareRoot() : norm(expected.elements)
      let error = norm(zip(value.elements, expected.elements).map { $0 - $1 }) / size
      #expect(error < 1e-5, "\(name): \(label)")
    }
  }
}
