import MoscFormats
import MoscIR

/// The module of a training step, with what its weights and trained tensors come from.
package struct TrainingModule: Sendable {
  package var module: Module
  package var sources: [String: any WeightSource]
  /// The tensors that training changes: names and shapes, in the order of the step's gradients.
  package var trained: [(name: String, shape: [Int])]

  /// The function.
  package var function: Graph { module.graphs[0] }

  /// - Parameters:
  ///   - trained: the inputs that stand for trained tensors.
  ///   - sources: what the weights that stay come from; none when all are inputs.
  init(
    _ graph: Graph, _ trained: [ValueID],
    sources: [(declaration: WeightsDeclaration, source: any WeightSource)] = []
  ) {
    module = Module(weights: sources.map(\.declaration), graphs: [graph])
    self.sources = Dictionary(
      sources.map { ($0.declaration.name, $0.source) }, uniquingKeysWith: { first, _ in first })
    self.trained = trained.map { (graph[$0].name, graph.type($0).shape) }
  }
}

extension DiffusersModel {
  /// The step that trains the model's adapters and token rows.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func trainingModule(_ step: ConceptStep) throws -> TrainingModule {
    var sources: [(declaration: WeightsDeclaration, source: any WeightSource)] = []
    func opened(_ component: Component) throws -> NetworkWeights {
      let files = try weights(component).files
      for (declaration, file) in zip(files.declarations, files.files) {
        sources.append((declaration, file))
      }
      // An adapter of both networks is one source.
      for addition in additions(component)
      where !sources.contains(where: { $0.declaration == addition.declaration }) {
        sources.append(addition)
      }
      return try networkWeights(component, training: .adapters)
    }
    var text = try opened(.textEncoder)
    var image = try opened(.unet)
    let graph = try step.graph(try textEncoder(), try unet(), text: &text, image: &image)
    return TrainingModule(
      graph, text.hooks.trainedInputs + image.hooks.trainedInputs, sources: sources)
  }
}
