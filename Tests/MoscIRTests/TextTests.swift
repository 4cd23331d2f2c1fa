import MoscIR
import Testing

/// The text format: round trips and errors with their place.
@Suite struct TextTests {
  static let sample = """
    mosc 1
    stage tensor
    weights @base "tiny \\"unet\\".safetensors"

    func @tail(%x: f32[1,4,4,8], prompt %ctx: f32[2,7,8], load %s: f32[1]) -> (y: f32[1,16,8], f32[2,7,4]) {
      load %w = param("to_q.weight", in: @base) : f32[8,8]
      load %p = pack(%w) : bf16[8,8]@panel16
      %c = constant([0.5, 1e-05, -3.0, inf]) : f32[4]
      %k = constant([7.0]) : i32[2,2]
      %t = reshape(%x) : f32[1,16,8]
      %q = linear(%t, weight: %w) : f32[1,16,8]
      %s.1 = slice(%ctx, axis: 2, from: 0, to: 4) : f32[2,7,4]
      %m = compare(%q, %q, is: "less") : u8[1,16,8]
      %0 = select(%m, %q, %t) : f32[1,16,8]
      %a = attention(%0, keys: %0, values: %0, heads: 2, causal: true) : f32[1,16,8]
      %e = timestep_embedding(%s, dim: 8, flip: true, shift: 0.0) : f32[1,8]
      return %a, %s.1
    }

    """

  @Test func printsWhatItParsed() throws {
    let module = try Parser.parse(Self.sample)
    #expect(Printer.print(module) == Self.sample)
    #expect(Verifier.check(module).isEmpty)
    #expect(module["tail"]?.resultNames == ["y"])
  }

  @Test func formattingOfTheSourceDoesNotMatter() throws {
    let loose = """
      // a comment
      mosc 1

      stage   tensor
      func @f( %x:f32[ 2,3 ] ) -> ( f32[2,3] ) {   // another

        %y=silu( %x ):f32[2,3]
        return %y
      }
      """
    let module = try Parser.parse(loose)
    let text = Printer.print(module)
    #expect(Printer.print(try Parser.parse(text)) == text)
    #expect(text.contains("  %y = silu(%x) : f32[2,3]\n"))
  }

  static let mistakes: [(line: String, id: String)] = [
    ("%y = silu(%z) : f32[2,12]", "parse.undefined"),
    ("%y = sillu(%x) : f32[2,12]", "parse.op"),
    ("%y = silu(%x) : f32[2,13]", "type.mismatch"),
    ("%y = silu(%x) : f33[2,12]", "parse.type"),
    ("%y = silu(%x, eps: 1.0) : f32[2,12]", "attribute.unknown"),
    ("%y = silu(%x, %x) : f32[2,12]", "op.arity"),
    ("%x = silu(%x) : f32[2,12]", "parse.duplicate"),
    ("%y = linear(%x, %x) : f32[2,2]", "parse.label"),
    ("%y = linear(%x, weight: %w) : f32[2,2]", "linear.depth"),
    ("%y = group_affine(%x, scale: %b, shift: %b, groups: 5, eps: 1e-05) : f32[2,2,12]",
      "group-affine.groups"),
    ("%y = slice(%x, axis: 1, from: 3, to: 13) : f32[2,10]", "slice.range"),
    ("%y = slice(%x, axis: 1, from: 3) : f32[2,10]", "attribute.missing"),
    ("%y, %z = silu(%x) : f32[2,12]", "parse.results"),
    ("%y = silu(%x) : f32[2,0]", "parse.extent"),
    ("%y = silu(%x : f32[2,12]", "parse.syntax"),
    ("%y = param(\"a, in: @b) : f32[2]", "parse.character"),
    ("%y = call() : f32[2]", "call.callee"),
    // Numbers whose sums and products do not fit.
    ("%y = pad(%x, low: [0, 0], high: [9223372036854775807, 0]) : f32[2,12]", "attribute.range"),
    ("%y = pad(%x, low: [4611686018427387904, 0], high: [4611686018427387904, 0]) : f32[2,12]",
      "attribute.range"),
    ("%y = pad(%x, low: [0, 1000000000000], high: [0, 0]) : f32[2,12]", "pad.size"),
    ("%y = slice(%x, axis: -9223372036854775808, from: 0, to: 1) : f32[2,12]", "attribute.range"),
    ("%y = conv2d(%i, weight: %k, stride: 1, pad: 4611686018427387904) : f32[1,4,4,1]",
      "attribute.range"),
    ("%y = conv2d(%i, weight: %k, stride: 1, pad: 281474976710656) : f32[1,4,4,1]", "conv2d.size"),
    ("%y = conv2d(%i, weight: %k, stride: 9223372036854775807, pad: 0) : f32[1,1,1,1]",
      "attribute.range"),
    ("%y = winograd_conv2d(%v, weight: %k, outputs: 2, image: [70368744177664, 4194304, 2]) : f32[1]",
      "winograd-conv2d.image"),
    ("%y = linear(%x, weight: %w, tile: [281474976710656, 8, 8, 8, 8]) : f32[2,2]",
      "tile.numbers"),
    ("%y = timestep_embedding(%b, dim: 281474976710656, flip: true, shift: 0.0) : f32[12,8]",
      "timestep-embedding.size"),
    ("%y = gram(%g) : f32[2,2]", "gram.size"),
    ("%y = constant([1e300]) : i32[2]", "constant.range"),
    ("%y = constant([-129.0, 0.0]) : i8[2]", "constant.range"),
    ("%y = silu(%x) : f32[1048576,1048577]", "parse.extent"),
    ("%y = silu(%x) : f32[9223372036854775807,9223372036854775807]", "parse.extent"),
  ]

  @Test(arguments: mistakes)
  func reportsMistakes(_ mistake: (line: String, id: String)) throws {
    let text = """
      mosc 1
      stage tensor
      func @f(%x: f32[2,12], %w: f32[2,11], %b: f32[12], %i: f32[1,4,4,1], %k: f32[1,1,3,3], %v: f32[16,1,1], %g: f32[1,1073741824]) -> (f32[2,12]) {
        \(mistake.line)
        return %x
      }
      """
    let error = try #require(throws: Diagnostics.self) { try Parser.parse(text, file: "a.mos") }
    let first = try #require(error.list.first)
    #expect(first.id == mistake.id, "\(error)")
    #expect(first.location?.line == 4)
    #expect(error.description.contains("a.mos:4:"))
    #expect(error.description.contains(mistake.line))
  }

  /// Names that look like the greatest number leave room for the next one.
  @Test func numberedNames() throws {
    let text = """
      mosc 1
      stage tensor
      func @f(%9223372036854775807: f32[2]) -> (f32[2]) {
        %9223372036854775806 = silu(%9223372036854775807) : f32[2]
        return %9223372036854775806
      }
      """
    let module = try Parser.parse(text)
    var graph = try #require(module["f"]).rebuilt { _, _, _ in nil }
    _ = try graph.emit(.silu(Silu()), [graph.results[0]])
    #expect(graph.order.count == 2 && Set(graph.order.flatMap { graph[$0].results }).count == 2)
  }

  @Test func reportsSeveralMistakesAtOnce() throws {
    let text = """
      mosc 1
      stage tensor
      func @f(%x: f32[2]) -> (f32[2]) {
        %a = nonsense(%x) : f32[2]
        %b = silu(%q) : f32[2]
        %c = softmax(%b, axis: 1) : f32[2]
        %d = neg(%c) : f32[2]
        return %d
      }
      """
    let error = try #require(throws: Diagnostics.self) { try Parser.parse(text) }
    #expect(error.list.map(\.id) == ["parse.op", "parse.undefined"])
  }

  @Test func headerMistakes() throws {
    for (text, id) in [
      ("mosc 2\nstage tensor\n", "parse.version"), ("mosc 1\nstage loops\n", "parse.stage"),
      ("stage tensor\n", "parse.syntax"),
      ("mosc 1\nstage tensor\nfunc @f() {\n", "parse.return"),
    ] {
      let error = try #require(throws: Diagnostics.self) { try Parser.parse(text) }
      #expect(error.list.first?.id == id)
    }
  }
}
