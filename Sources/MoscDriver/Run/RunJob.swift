import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport

/// `mosc run`: executes a component or a `.mos` file on given tensors.
package struct RunJob {
  package let request: RunRequest
  package let reporter: Reporter

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    switch request.target {
    case .program(.component(let component)): try runComponent(component)
    case .program(.file(let path)): try runModule(path)
    case .procedure(.t2iAdapter): try T2IAdapterJob(request, reporter).run()
    case .procedure(.trainStep): try TrainStepJob(request, reporter).run()
    case .procedure(.fuseLayer): try FuseLayerJob(request, reporter).run()
    case .procedure(.scheduler): try SchedulerReplay(request, reporter).run()
    case .procedure(.prompts): try PromptRecordsJob(request).run()
    }
  }

  private func runComponent(_ kind: ComponentKind) throws {
    let output = try OutputFile(request.output)
    let tensors = try TensorFile.read(request.input)
    let compiler = try Compiler(request.compiler, precision: request.model.precision, reporter)
    let components = try ModelComponents(request.model, compiler)
    let results = try Self.run(kind, tensors, components, usesEvaluator: request.usesEvaluator)
    let used = Set(kind.inputs.map(\.name))
    let ignored = tensors.keys.filter { !used.contains($0) }.sorted()
    if !ignored.isEmpty {
      reporter.detail("not read from '\(request.input)': \(ignored.joined(separator: ", "))")
    }
    let mayQuantise = kind == .unet
    let precision = (mayQuantise ? compiler : compiler.unquantised).target.precision
    try TensorFile.write(
      kind.outputs.compactMap { port in results[port.name].map { (port.name, $0) } },
      metadata: ["mosc": Version.text, "type": precision.rawValue],
      to: output)
  }

  /// Runs a component on tensors with diffusers' names and layouts.
  package static func run(
    _ kind: ComponentKind, _ tensors: [String: HostArray], _ components: ModelComponents,
    usesEvaluator: Bool = false
  ) throws -> [String: HostArray] {
    var batch = 1
    if let first = kind.inputs.first, let tensor = tensors[first.name] {
      batch = tensor.shape.first ?? 1
    }
    var inputs: [String: HostArray] = [:]
    for port in try kind.inputs(of: components.model) {
      guard let tensor = tensors[port.name] else {
        throw CommandError.failure(
          "\(kind.rawValue) needs tensor '\(port.name)'; the file holds "
            + tensors.keys.sorted().joined(separator: ", "))
      }
      inputs[port.name] = try port.imported(tensor, batch: batch)
    }
    let function = try kind.function(for: inputs)
    let results =
      usesEvaluator
      ? try components.evaluate(function, inputs) : try components.program(function).run(inputs)
    return Dictionary(
      uniqueKeysWithValues: kind.outputs.compactMap { port in
        results[port.name].map { (port.name, port.exported($0)) }
      })
  }

  private func runModule(_ path: String) throws {
    let output = try OutputFile(request.output)
    let module = try ModuleFile.read(path)
    let tensors = try TensorFile.read(request.input)
    guard let function = request.function ?? module.functions.first?.name else {
      throw CommandError.failure("'\(path)' has no function")
    }
    guard let graph = module[function] else {
      let known = module.functions.map(\.name).joined(separator: ", ")
      throw CommandError.failure(
        "'\(path)' has no function '@\(function)'; it has \(known)")
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let weights = try WeightFiles(module, relativeTo: folder)
    let results: [String: HostArray]
    let compiler = try Compiler(
      request.compiler, precision: request.model.precision ?? .f32, reporter)
    if request.usesEvaluator {
      results = try ReferenceRun(module, weights).run(function, tensors)
    } else {
      let compiled = try compiler.compile(module, function: function)
      let program = try Program(compiled, weights: weights, on: compiler)
      results = try program.run(tensors)
    }
    let names = graph.resultLabels
    try TensorFile.write(
      names.compactMap { name in results[name].map { (name, $0) } },
      metadata: ["mosc": Version.text], to: output)
  }
}

extension ComponentKind {
  /// The function of a model that fits inputs in the IR's layouts.
  package func function(for inputs: [String: HostArray]) throws -> ModelFunction {
    func shape(_ name: String) -> [Int] { inputs[name]?.shape ?? [] }
    switch self {
    case .textEncoder:
      let ids = shape("input_ids")
      return .textEncoder(TextEncoder.Shape(batch: ids[0], tokens: ids[1]))
    case .unet:
      let sample = shape("sample")
      let states = shape("encoder_hidden_states")
      guard states[0] == sample[0] else {
        throw CommandError.failure(
          "'encoder_hidden_states' is for \(states[0]) samples, 'sample' has \(sample[0])")
      }
      return .unet(
        UNet.Shape(
          batch: sample[0], height: sample[1], width: sample[2],
          tokens: states[states.count - 2], isLayerwise: states.count == 4))
    case .vaeEncoder:
      let image = shape("image")
      return .vaeEncoder(batch: image[0], height: image[1], width: image[2])
    case .vaeDecoder:
      let latents = shape("latents")
      return .vaeDecoder(batch: latents[0], height: latents[1], width: latents[2])
    }
  }
}
