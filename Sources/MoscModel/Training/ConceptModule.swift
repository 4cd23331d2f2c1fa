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
}

extension DiffusersModel {
  /// The step that trains the model's adapters and token rows.
  ///
  /// - Throws: `FormatError` for files, `Diagnostic` for configs and tensors that do not fit.
  package func trainingModule(_ step: ConceptStep) throws -> TrainingModule {
    var sources: [String: any WeightSource] = [:]
    var declarations: [WeightsDeclaration] = []
    func opened(_ component: Component) throws -> Checkpoint {
      let files = try self.files(component)
      var checkpoint = try self.checkpoint(component, files)
      try verify(component, &checkpoint)
      checkpoint.trained = .adapters
      for (declaration, file) in zip(files.declarations, files.files) {
        declarations.append(declaration)
        sources[declaration.name] = file
      }
      for addition in additions(component) where sources[addition.declaration.name] == nil {
        declarations.append(addition.declaration)
        sources[addition.declaration.name] = addition.source
      }
      return checkpoint
    }
    var text = try opened(.textEncoder)
    var image = try opened(.unet)
    let graph = try step.graph(try textEncoder(), try unet(), text: &text, image: &image)
    let trained = (text.trainedInputs + image.trainedInputs).map {
      (graph[$0].name, graph.type($0).shape)
    }
    return TrainingModule(
      module: Module(weights: declarations, graphs: [graph]), sources: sources, trained: trained)
  }

  /// The present values of a tensor that adapters bring.
  package func adapterTensor(_ name: String) -> HostArray? {
    for store in adapters.adapters.map(\.store) + [adapters.rows?.store].compactMap({ $0 }) {
      guard let tensor = store.weight(name) else { continue }
      return HostArray(
        dtype: tensor.dtype, shape: tensor.shape, bytes: [UInt8](tensor.bytes))
    }
    return nil
  }
}
