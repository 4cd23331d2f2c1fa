import MoscCodegen
import MoscIR
import MoscLLVM
import Testing

/// Kernels as `fuse` makes them: producers and consumers around an anchor, against the evaluator.
@Suite struct FusedKernelTests {
  static let wide = KernelHarness.Bounds(absolute: 2e-5, relative: 1e-5)
  static let tile = "tile: [4, 16, 8, 16, 8]"

  /// Kernel bodies, named; the text between the header and the closing brace.
  static let kernels: [(name: String, text: String)] = [
    (
      "norm-apply, activation and padding of a convolution's input",
      """
      kernel @k(%x: f32[2,6,5,40], %s: f32[2,2,40]) -> (bf16[2,8,7,40]) {
        %a0 = slice(%s, axis: 0, from: 0, to: 1) : f32[1,2,40]
        %a = reshape(%a0) : f32[2,1,1,40]
        %b0 = slice(%s, axis: 0, from: 1, to: 2) : f32[1,2,40]
        %b = reshape(%b0) : f32[2,1,1,40]
        %m = mul(%x, %a) : f32[2,6,5,40]
        %n = add(%m, %b) : f32[2,6,5,40]
        %y = silu(%n) : f32[2,6,5,40]
        %c = cast(%y) : bf16[2,6,5,40]
        %p = pad(%c, low: [0, 1, 1, 0], high: [0, 1, 1, 0]) : bf16[2,8,7,40]
        return %p
      }
      """
    ),
    (
      "the same behind a concatenation and an enlargement",
      """
      kernel @k(%x: f32[1,3,3,24], %z: f32[1,3,3,9], %s: f32[2,1,33]) -> (f32[1,7,6,33]) {
        %xz = concat(%x, %z, axis: 3) : f32[1,3,3,33]
        %a0 = slice(%s, axis: 0, from: 0, to: 1) : f32[1,1,33]
        %a = reshape(%a0) : f32[1,1,1,33]
        %m = mul(%xz, %a) : f32[1,3,3,33]
        %u = upsample_nearest(%m) : f32[1,6,6,33]
        %p = pad(%u, low: [0, 1, 0, 0], high: [0, 0, 0, 0]) : f32[1,7,6,33]
        return %p
      }
      """
    ),
    (
      "a gated unit rounded to bf16",
      """
      kernel @k(%x: f32[2,7,80]) -> (bf16[2,7,40]) {
        %y = geglu(%x) : f32[2,7,40]
        %c = cast(%y) : bf16[2,7,40]
        return %c
      }
      """
    ),
    (
      "layer normalisation of a sum, rounded",
      """
      kernel @k(%x: f32[2,7,40], %z: f32[2,7,40], %w: f32[40], %b: f32[40]) -> (bf16[2,7,40]) {
        %s = add(%x, %z) : f32[2,7,40]
        %y = layer_norm(%s, scale: %w, shift: %b, eps: 1e-05) : f32[2,7,40]
        %c = cast(%y) : bf16[2,7,40]
        return %c
      }
      """
    ),
    (
      "layer normalisation of an image seen as tokens, with a residual after it",
      """
      kernel @k(%x: f32[2,3,4,24], %z: f32[2,12,24], %w: f32[24], %b: f32[24]) -> (f32[2,12,24]) {
        %t = reshape(%x) : f32[2,12,24]
        %y = layer_norm(%t, scale: %w, shift: %b, eps: 1e-05) : f32[2,12,24]
        %r = add(%y, %z) : f32[2,12,24]
        return %r
      }
      """
    ),
    (
      "softmax of scaled scores",
      """
      kernel @k(%x: f32[2,5,77]) -> (bf16[2,5,77]) {
        %h = constant([0.125]) : f32[1,1,1]
        %s = mul(%x, %h) : f32[2,5,77]
        %y = softmax(%s) : f32[2,5,77]
        %c = cast(%y) : bf16[2,5,77]
        return %c
      }
      """
    ),
    (
      "group statistics of a concatenation",
      """
      kernel @k(%x: f32[2,5,5,40], %z: f32[2,5,5,32], %w: f32[72], %b: f32[72]) -> (f32[2,2,72]) {
        %xz = concat(%x, %z, axis: 3) : f32[2,5,5,72]
        %y = group_affine(%xz, scale: %w, shift: %b, groups: 6, eps: 1e-05) : f32[2,2,72]
        return %y
      }
      """
    ),
    (
      "a linear map with bias, residual and activation, as an image",
      """
      kernel @k(%x: f32[2,6,24], %w: f32[40,24]@panel16, %b: f32[40], %r: f32[2,2,3,40]) -> (f32[2,2,3,40]) {
        %y = linear(%x, weight: %w, bias: %b, \(tile)) : f32[2,6,40]
        %i = reshape(%y) : f32[2,2,3,40]
        %s = add(%i, %r) : f32[2,2,3,40]
        %a = silu(%s) : f32[2,2,3,40]
        return %a
      }
      """
    ),
    (
      "a linear map of a slice of channels, bf16, odd rows and columns",
      """
      kernel @k(%x: bf16[2,7,48], %w: bf16[33,24]@panel16) -> (bf16[2,7,33]) {
        %v = slice(%x, axis: 2, from: 24, to: 48) : bf16[2,7,24]
        %y = linear(%v, weight: %w, \(tile)) : f32[2,7,33]
        %c = cast(%y) : bf16[2,7,33]
        return %c
      }
      """
    ),
    (
      "a linear map of some tokens of each sample",
      """
      kernel @k(%x: f32[3,7,24], %w: f32[16,24]@panel16) -> (f32[3,4,16]) {
        %v = slice(%x, axis: 1, from: 2, to: 6) : f32[3,4,24]
        %y = linear(%v, weight: %w, \(tile)) : f32[3,4,16]
        return %y
      }
      """
    ),
    (
      "a convolution with time embedding and residual",
      """
      kernel @k(%x: f32[2,6,6,8], %w: f32[40,8,3,3]@panel16, %b: f32[40], %t: f32[2,40], %r: f32[2,4,4,40]) -> (f32[2,4,4,40]) {
        %y = conv2d(%x, weight: %w, bias: %b, stride: 1, pad: 0, \(tile)) : f32[2,4,4,40]
        %e = reshape(%t) : f32[2,1,1,40]
        %s = add(%y, %e) : f32[2,4,4,40]
        %z = add(%r, %s) : f32[2,4,4,40]
        return %z
      }
      """
    ),
    (
      "a strided convolution of tokens seen as an image, result as tokens",
      """
      kernel @k(%x: bf16[1,49,16], %w: bf16[24,16,3,3]@panel16) -> (f32[1,9,24]) {
        %i = reshape(%x) : bf16[1,7,7,16]
        %y = conv2d(%i, weight: %w, stride: 2, pad: 0, \(tile)) : f32[1,3,3,24]
        %t = reshape(%y) : f32[1,9,24]
        return %t
      }
      """
    ),
    (
      "attention with a residual and a product after it",
      """
      kernel @k(%q: f32[2,37,48], %k: f32[2,5,48], %v: f32[2,5,48], %r: f32[2,37,48], %s: f32[48]) -> (bf16[2,37,48]) {
        %y = attention(%q, keys: %k, values: %v, heads: 3, blocks: [16, 8, 2]) : f32[2,37,48]
        %c = reshape(%s) : f32[1,1,48]
        %m = mul(%y, %c) : f32[2,37,48]
        %z = add(%m, %r) : f32[2,37,48]
        %b = cast(%z) : bf16[2,37,48]
        return %b
      }
      """
    ),
    (
      "attention of parts of one projection, as the text encoder could have it",
      """
      kernel @k(%p: f32[1,7,96]) -> (f32[1,7,32]) {
        %q = slice(%p, axis: 2, from: 0, to: 32) : f32[1,7,32]
        %k = slice(%p, axis: 2, from: 32, to: 64) : f32[1,7,32]
        %v = slice(%p, axis: 2, from: 64, to: 96) : f32[1,7,32]
        %y = attention(%q, keys: %k, values: %v, heads: 2, causal: true, blocks: [32, 4, 1]) : f32[1,7,32]
        return %y
      }
      """
    ),
    (
      "a linear map with one output",
      """
      kernel @k(%x: f32[2,7,24], %w: f32[1,24]@panel16, %b: f32[1]) -> (f32[2,7,1]) {
        %y = linear(%x, weight: %w, bias: %b, \(tile)) : f32[2,7,1]
        %z = silu(%y) : f32[2,7,1]
        return %z
      }
      """
    ),
    (
      "two results of one shape and one of another",
      """
      kernel @k(%x: f32[3,40]) -> (f32[3,40], bf16[3,40], f32[3,1]) {
        %a = exp(%x) : f32[3,40]
        %b = cast(%a) : bf16[3,40]
        %c = reduce_sum(%a, axes: [1]) : f32[3,1]
        return %a, %b, %c
      }
      """
    ),
    (
      "heads as batch: a transposition of both operands of a product",
      """
      kernel @k(%q: f32[1,5,2,20], %k: f32[1,6,2,20]) -> (f32[2,5,6]) {
        %qt = transpose(%q, axes: [0, 2, 1, 3]) : f32[1,2,5,20]
        %qr = reshape(%qt) : f32[2,5,20]
        %kt = transpose(%k, axes: [0, 2, 3, 1]) : f32[1,2,20,6]
        %kr = reshape(%kt) : f32[2,20,6]
        %y = matmul(%qr, %kr) : f32[2,5,6]
        return %y
      }
      """
    ),
  ]

  @Test(arguments: kernels.map(\.name)) func agreesWithTheEvaluator(_ name: String) throws {
    guard let text = Self.kernels.first(where: { $0.name == name })?.text else { return }
    let module = try Parser.parse("mosc 1\nstage kernel\n" + text)
    let graph = try #require(module.kernels.first)
    for facts in KernelHarness.targets {
      let problem = try KernelHarness.disagreement(graph, facts: facts, bounds: Self.wide)
      #expect(problem == nil, "for \(facts.cpu): \(problem ?? "")")
    }
  }

  @Test func namesTheKernelThatCannotBeLowered() throws {
    let text = """
      kernel @odd(%x: f32[2,7,24], %w: f32[16,24]@panel16) -> (f32[2,7,16]) {
        %v = exp(%x) : f32[2,7,24]
        %y = linear(%v, weight: %w, \(Self.tile)) : f32[2,7,16]
        return %y
      }
      """
    let module = try Parser.parse("mosc 1\nstage kernel\n" + text)
    let compiler = try KernelCompiler(CompilerOptions(facts: try TargetFacts(cpu: "native")))
    let error = #expect(throws: LoweringError.self) { try compiler.compile(module) }
    #expect(error?.kernel == "odd")
  }

  /// Kernels that no pass has decided, or not in a way that can be generated, with what says so.
  static let undecided: [(text: String, message: String)] = [
    (
      """
      kernel @odd(%q: f32[1,8,16], %k: f32[1,8,16]) -> (f32[1,8,16]) {
        %y = attention(%q, keys: %k, values: %k, heads: 2) : f32[1,8,16]
        return %y
      }
      """, "'attention' has no blocks"
    ),
    (
      """
      kernel @odd(%q: f32[1,8,16], %k: f32[1,8,16]) -> (f32[1,2,8]) {
        %y = attention_statistics(%q, keys: %k, heads: 2, blocks: [12, 8, 1]) : f32[1,2,8]
        return %y
      }
      """, "attention blocks must be vectors"
    ),
    (
      """
      kernel @odd(%x: f32[8,24], %w: f32[16,24]@panel16) -> (f32[8,16]) {
        %y = linear(%x, weight: %w, tile: [4, 16, 6, 16, 24]) : f32[8,16]
        return %y
      }
      """, "cache blocks must be whole register tiles"
    ),
  ]

  @Test(arguments: undecided) func inventsNothing(_ kernel: (text: String, message: String)) throws {
    let module = try Parser.parse("mosc 1\nstage kernel\n" + kernel.text)
    let compiler = try KernelCompiler(CompilerOptions(facts: try TargetFacts(cpu: "native")))
    let error = #expect(throws: LoweringError.self) { try compiler.compile(module) }
    #expect(error?.message.contains(kernel.message) == true, "\(String(describing: error))")
  }
}
