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
  ]

  @Test(arguments: mistakes)
  func reportsMistakes(_ mistake: (line: String, id: String)) throws {
    let text = """
      mosc 1
      stage tensor
      func @f(%x: f32[2,12], %w: f32[2,11], %b: f32[12]) -> (f32[2,12]) {
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
