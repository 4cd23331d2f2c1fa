import MoscIR
import MoscPasses
import Testing

@Suite struct PassManagerTests {
  /// A pass that leaves a rate that is too early.
  struct Broken: Pass {
    static let name = "broken"
    static let stages = (from: Stage.tensor, to: Stage.tensor)
    init(_ options: inout PassOptions) {}
    func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
      for result in module.graphs[0].results { module.graphs[0][result].rate = .load }
    }
  }

  /// A pass that gives up.
  struct Failing: Pass {
    static let name = "failing"
    static let stages = (from: Stage.tensor, to: Stage.tensor)
    init(_ options: inout PassOptions) {}
    func run(_ module: inout Module, _ context: inout PassContext) throws(Diagnostic) {
      throw Diagnostic("failing.always", "it always fails")
    }
  }

  static func module() throws -> Module {
    try Parser.parse(
      "mosc 1\nstage tensor\n\nfunc @f(%x: f32[4]) -> (f32[4]) {\n  %y = exp(%x) : f32[4]\n"
        + "  return %y\n}\n")
  }

  private func make(_ pass: any Pass.Type) throws -> any Pass {
    var options = PassOptions(pass: pass.name)
    return try pass.init(&options)
  }

  @Test func reportsEveryStepInOrder() throws {
    var module = try Self.module()
    var context = PassContext()
    var manager = PassManager(try Pipeline.inference())
    var seen: [String] = []
    manager.options.before = { index, name, module in seen.append("\(index) \(name)") }
    manager.options.after = { index, name, module in seen.append("\(name) \(module.stage)") }
    try manager.run(&module, &context)
    #expect(seen.count == 2 * Pipeline.inference.count)
    #expect(seen.first == "0 differentiate" && seen.last == "plan-memory buffer")
    #expect(manager.timings.map(\.pass) == Pipeline.inference.map { $0.pass.name })
  }

  /// Ctrl-C is heard between passes.
  @Test func endsEarlyWhenAskedTo() throws {
    var module = try Self.module()
    var context = PassContext()
    var manager = PassManager(try Pipeline.inference())
    var seen = 0
    manager.options.after = { _, _, _ in seen += 1 }
    manager.options.isCancelled = { seen == 2 }
    try manager.run(&module, &context)
    #expect(manager.timings.map(\.pass) == Pipeline.inference.prefix(2).map { $0.pass.name })
    #expect(module.stage == .tensor)
  }

  @Test func verifiesAfterEveryPass() throws {
    var module = try Self.module()
    var context = PassContext()
    var manager = PassManager([try make(Broken.self)])
    let errors = #expect(throws: Diagnostics.self) { try manager.run(&module, &context) }
    #expect(errors?.list.first?.id == "verify.rate")
    #expect(errors?.list.first?.notes.contains("after pass 'broken'") == true)
    manager.options.verifyEach = false
    #expect(throws: Never.self) { try manager.run(&module, &context) }
  }

  @Test func namesThePassThatFailed() throws {
    var module = try Self.module()
    var context = PassContext()
    var manager = PassManager([try make(Failing.self)])
    let errors = #expect(throws: Diagnostics.self) { try manager.run(&module, &context) }
    #expect(errors?.list.first?.notes == ["while running pass 'failing'"])
  }

  @Test func refusesAModuleOfAnotherStage() throws {
    var module = try Self.module()
    var context = PassContext()
    var manager = PassManager(try Pipeline.parse("bufferise"))
    let errors = #expect(throws: Diagnostics.self) { try manager.run(&module, &context) }
    #expect(errors?.list.first?.id == "passes.stage")
  }

  @Test func parsesPassLists() throws {
    let names = try Pipeline.parse("canonicalise, fuse{fusion=none},choose-kernels{precision=bf16}")
      .map { type(of: $0).name }
    #expect(names == ["canonicalise", "fuse", "choose-kernels"])
    #expect(try Pipeline.parse("inference").count == Pipeline.inference.count)
    let position = try #require(Pipeline.inference.firstIndex { $0.pass.name == "fuse" })
    #expect(try Pipeline.inference(through: "fuse").count == position + 1)
  }

  @Test(arguments: [
    ("fold", "passes.unknown"), ("fuse{fusion=none", "passes.braces"),
    ("fuse}", "passes.braces"), ("fuse{none}", "passes.option"),
    ("fuse{depth=3}", "passes.option"), ("fuse{fusion=all}", "fuse.option"),
    ("choose-kernels{precision=int8}", "choose-kernels.option"),
    ("rematerialise{step-bytes=few}", "passes.option"),
  ])
  func refusesBadPassLists(_ text: String, _ id: String) {
    let error = #expect(throws: Diagnostic.self) { try Pipeline.parse(text) }
    #expect(error?.id == id)
  }

  @Test func refusesViewsInStageBuffer() throws {
    let text =
      "mosc 1\nstage kernel\n\nkernel @k(%a: f32[4]) -> (f32[4]) {\n  %0 = exp(%a) : f32[4]\n"
      + "  return %0\n}\n\nfunc @f(%x: f32[2,2]) -> (f32[4]) {\n  %y = reshape(%x) : f32[4]\n"
      + "  %z = call @k(%y) : f32[4]\n  return %z\n}\n"
    var module = try Parser.parse(text)
    var context = PassContext()
    var manager = PassManager(try Pipeline.parse("bufferise"))
    let errors = #expect(throws: Diagnostics.self) { try manager.run(&module, &context) }
    #expect(errors?.list.first?.id == "bufferise.view")
  }

  @Test func oneKernelPerOpOnRequest() throws {
    var module = try Programs.denoiser()
    var context = PassContext()
    var manager = PassManager(
      try Pipeline.parse(
        "canonicalise,infer-rates,choose-kernels,pack-weights,split-rates,fuse{fusion=none}"))
    try manager.run(&module, &context)
    for kernel in module.kernels {
      #expect(kernel.order.count { !kernel[$0].op.isFree } <= 1, "\(kernel.name)")
    }
  }
}
