import MoscIR
import Testing

/// Rules of the verifier broken in ways that texts cannot; Tests/Files/verify has the others.
@Suite struct VerifierTests {
  private func ids(_ text: String, _ change: (inout Module) -> Void = { _ in }) throws -> [String] {
    var module = try Parser.parse(text)
    change(&module)
    return Verifier.check(module).map(\.id)
  }

  private let tensor = """
    mosc 1
    stage tensor
    func @f(%x: f32[4], prompt %p: f32[4]) -> (f32[4]) {
      %y = silu(%x) : f32[4]
      %z = add(%y, %p) : f32[4]
      return %z
    }
    """

  private let kernel = """
    mosc 1
    stage kernel
    kernel @k(%x: f32[4]) -> (f32[4]) {
      %y = silu(%x) : f32[4]
      return %y
    }
    func @f(%x: f32[4]) -> (f32[4]) {
      %y = call @k(%x) : f32[4]
      return %y
    }
    """

  private func buffer(_ body: String) -> String {
    """
    mosc 1
    stage buffer
    kernel @k(%x: f32[4]) -> (f32[4]) {
      %y = silu(%x) : f32[4]
      return %y
    }
    func @f(%in: f32[4], %out: f32[4]) {
      %arena = arena(bytes: 128) : u8[128]
    \(body)
      return
    }
    """
  }

  @Test func soundModulesPass() throws {
    #expect(try ids(tensor) == [])
    #expect(try ids(kernel) == [])
    let sound = buffer(
      """
        %a = subview(%arena, at: 0) : f32[4]
        %b = subview(%arena, at: 64) : f32[4]
        launch @k(%in, into: %a)
        launch @k(%a, into: %b)
        launch @k(%b, into: %out)
      """)
    #expect(try ids(sound) == [])
  }

  @Test func everyStage() throws {
    #expect(try ids(tensor) { $0.graphs.append($0.graphs[0]) } == ["verify.graph-name"])
    #expect(try ids(tensor) { $0.graphs[0].order.swapAt(0, 1) } == ["verify.order"])
    #expect(
      try ids(tensor) {
        let first = $0.graphs[0].order[0]
        $0.graphs[0][first].operands = []
      } == ["verify.arity"])
    #expect(
      try ids(tensor) {
        let value = $0.graphs[0].results[0]
        $0.graphs[0][value].type = .f32(5)
      } == ["verify.types"])
    #expect(
      try ids(tensor) {
        let value = $0.graphs[0].results[0]
        $0.graphs[0][value].rate = .prompt
      } == ["verify.rate"])
  }

  @Test func kernelStage() throws {
    #expect(try ids(kernel) { $0.graphs[0].results = [] }.contains("verify.kernel.body"))
    #expect(
      try ids(kernel.replacing("call @k(", with: "call @missing(")) == ["verify.kernel.callee"])
  }

  @Test func bufferStage() throws {
    #expect(try ids(buffer("  launch @nothing(%in, into: %out)")) == ["verify.buffer.callee"])
  }

  /// Buffers before or far behind their arena, written in a text or made by a pass.
  @Test(arguments: [
    ("-64", "subview.range"), ("-4611686018427387904", "attribute.range"), ("281474976710656", "subview.range"),
    ("9223372036854775744", "attribute.range"),
  ])
  func buffersLieInTheirArena(_ offset: String, _ id: String) throws {
    let text = buffer("  %a = subview(%arena, at: \(offset)) : f32[4]\n  launch @k(%in, into: %a)")
    let errors = try #require(throws: Diagnostics.self) { try Parser.parse(text) }
    #expect(errors.list.first?.id == id)
    #expect(errors.list.first?.location?.line == 9)
    let sound = buffer("  %a = subview(%arena, at: 0) : f32[4]\n  launch @k(%in, into: %a)")
    #expect(
      try ids(sound) {
        let place = $0.graphs[1].order[1]
        $0.graphs[1][place].op = .subview(Subview(offset: -64, type: .f32(4)))
      } == ["verify.types"])
  }

  @Test func arenasHaveASize() {
    #expect {
      try Parser.parse(buffer("").replacing("arena(bytes: 128) : u8[128]", with: "arena(bytes: -128) : u8[128]"))
    } throws: { ($0 as? Diagnostics)?.list.first?.id == "arena.size" }
  }

  @Test func aGradientIsOfOneNumberByFloats() throws {
    func text(_ loss: String, _ type: String) -> String {
      """
      mosc 1
      stage tensor
      func @f(%x: f32[2], %i: i32[1], %l: f32[1]) -> (\(type)) {
        %d = gradient(\(loss)) : \(type)
        return %d
      }
      """
    }
    #expect(try ids(text("%l, %x", "f32[2]")) == [])
    for (operands, type, id) in [
      ("%x, %x", "f32[2]", "gradient.loss"), ("%l, %i", "i32[1]", "gradient.dtype"),
    ] {
      #expect {
        _ = try Parser.parse(text(operands, type))
      } throws: {
        ($0 as? Diagnostic)?.id == id
          || ($0 as? Diagnostics)?.list.contains { $0.id == id } == true
      }
    }
  }
}
