import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel

/// Opens models and makes programs of their networks.
package struct ModelComponents {
  package let model: DiffusersModel
  package let compiler: Compiler
  /// What stays loaded when these are gone; nil for nothing.
  package let keeper: ModelKeeper?

  /// - Throws: what is wrong with the folder, naming it.
  package init(_ options: ModelOptions, _ compiler: Compiler) throws {
    model = try Self.open(options)
    self.compiler = compiler
    keeper = nil
    try compiler.reporter.report(model)
  }

  package init(_ model: DiffusersModel, _ compiler: Compiler, keeper: ModelKeeper? = nil) {
    self.model = model
    self.compiler = compiler
    self.keeper = keeper
  }

  /// The model folder or file at a path, the embedded model for nil.
  package static func open(_ path: String?, vae: String? = nil) throws -> DiffusersModel {
    let vae = vae.map { URL(fileURLWithPath: $0) }
    guard let path else { return try .embedded(vae: vae) }
    return try DiffusersModel(at: try ModelHub.resolve(path), vae: vae)
  }

  /// Checks that the config and the tensors of every network fit each other.
  package static func verify(_ model: DiffusersModel) throws {
    for component in DiffusersModel.Component.allCases {
      _ = try model.weights(component)
    }
  }

  /// Compiles a function of the model and packs its weights.
  ///
  /// - Parameter other: a program of the same part of the model, whose packed weights and results serve
  ///   this one, too.
  package func program(
    _ function: ModelFunction, sharing other: Program? = nil
  ) throws -> Program {
    let source = try model.program(function)
    let weights = WeightFiles(source)
    let compiler = compiler.suited(to: function)
    func compiled() throws -> CompiledFunction {
      try compiler.compile(source.module, function: source.function.name)
    }
    func program(_ compiled: CompiledFunction) throws -> Program {
      try Program(compiled, weights: weights, on: self.compiler, keepsPacked: true, sharing: other)
    }
    // What shares weights with another program lives as long as that one.
    guard let keeper, other == nil else { return try program(compiled()) }
    return try keeper.program(
      source.module, source.function.name, compiler.target.precision, weights, compile: compiled,
      load: program)
  }

  /// Runs a function of the model with the reference evaluator.
  package func evaluate(
    _ function: ModelFunction, _ inputs: [String: HostArray]
  ) throws -> [String: HostArray] {
    let source = try model.program(function)
    return try ReferenceRun(source.module, WeightFiles(source)).run(source.function.name, inputs)
  }
}

extension WeightFiles {
  /// The mapped files of a model's part.
  package init(_ program: ModelProgram) {
    var sources = program.additions
    for (declaration, file) in zip(program.files.declarations, program.files.files) {
      sources[declaration.name] = file
    }
    self.init(sources)
  }
}

extension SchedulerConfig {
  /// The configuration in a model's folder; the defaults of diffusers when it has none.
  package init(of model: DiffusersModel) throws {
    guard let config = try model.layout.schedulerConfig() else {
      self.init()
      return
    }
    try self.init(config)
  }
}

extension DiffusersModel {
  /// The side of the pictures that the model was trained on, in pixels.
  package func trainedSize() throws -> Int {
    let vae = try vae().config
    return try unet().config.sampleSize.map { $0 * vae.downsampling } ?? vae.sampleSize ?? 512
  }
}
