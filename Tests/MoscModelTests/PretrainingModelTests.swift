import MoscIR
import MoscModel
import Testing

/// The functions and starts of pretraining.
@Suite struct PretrainingModelTests {
  @Test func everyWeightHasAStart() throws {
    let model = try DiffusersModel.embedded()
    for component in DiffusersModel.Component.allCases {
      let start = try WeightInitialisation(model, component)
      let table = try model.weights(component).table
      #expect(Set(start.names).isSubset(of: Set(table.tensors.keys)))
      #expect(start.names.count > 30)
    }
    let unet = try WeightInitialisation(model, .unet)
    #expect(unet.filling("conv_out.weight") == .constant(0))
    #expect(unet.filling("mid_block.resnets.0.conv2.bias") == .constant(0))
    #expect(unet.filling("mid_block.resnets.0.norm1.weight") == .constant(1))
    #expect(unet.filling("mid_block.resnets.0.norm1.bias") == .constant(0))
    // Channels of 3×3 pixels.
    let limit = 1 / Double(9 * (try #require(try model.unet().config.widths.last))).squareRoot()
    #expect(unet.filling("mid_block.resnets.0.conv1.weight") == .uniform(limit: limit))
    #expect(unet.filling("mid_block.resnets.0.conv1.bias") == .uniform(limit: limit))
    let text = try WeightInitialisation(model, .textEncoder)
    let layer = "text_model.encoder.layers.0"
    #expect(
      text.filling("text_model.embeddings.token_embedding.weight") == .normal(deviation: 0.02))
    #expect(text.filling("\(layer).mlp.fc1.weight") == .normal(deviation: 1.0 / 16))
    #expect(text.filling("\(layer).mlp.fc1.bias") == .constant(0))
    #expect(text.filling("\(layer).layer_norm1.weight") == .constant(1))
  }

  @Test func theDenoisingStepTrainsEveryWeight() throws {
    let model = try DiffusersModel.embedded()
    let training = try model.trainingModule(DenoisingStep(NoisingStep(batch: 2, height: 4, width: 4)))
    let names = try [DiffusersModel.Component.unet, .textEncoder]
      .flatMap { try WeightInitialisation(model, $0).names }
    #expect(training.trained.map(\.name).sorted() == names.sorted())
    #expect(Array(training.function.resultNames.prefix(2)) == ["loss", "errors"])
    #expect(training.module.weights.isEmpty)
  }

  @Test func attentionToTheOtherPhraseIsAstray() throws {
    var g = Graph("astray")
    let attention = g.parameter("attention", .f32(2, 2, 2))
    let area = g.parameter("area", .f32(2, 2, 2))
    g.results = [try LayoutLoss.astray(attention, area, in: &g)]
    // The first pixel of the first picture is of its first object, the second of its second; the second
    // picture has no layout. A quarter of the first's attention is wrong, all of the second's.
    let looks: [Double] = [0.3, 0.1, 0.2, 0, 0.5, 0.5, 0.1, 0.9]
    let areas: [Double] = [1, 0, 0, 1, 0, 0, 0, 0]
    func place(_ index: [Int]) -> Int { (index[0] * 2 + index[1]) * 2 + index[2] }
    let results = try evaluate(
      g, [HostTensor(.f32(2, 2, 2)) { looks[place($0)] }, HostTensor(.f32(2, 2, 2)) { areas[place($0)] }],
      [:])
    #expect(abs(results[0].elements[0] - 1.25) < 1e-4)
  }

  @Test func layoutsAreInputsOfEveryResolution() throws {
    let model = try DiffusersModel.embedded()
    let training = try model.trainingModule(
      DenoisingStep(NoisingStep(batch: 2, height: 4, width: 8), learnsLayout: true))
    #expect(Array(training.function.resultNames.prefix(3)) == ["loss", "errors", "layout"])
    let inputs = Set(training.function.parameters.map { training.function[$0].name })
    for (height, width) in try model.unet().config.attentionResolutions(height: 4, width: 8) {
      #expect(inputs.contains(LayoutLoss.areaName(height, width)))
    }
  }

  @Test func regionsHavePromptsAndCoverage() throws {
    let model = try DiffusersModel.embedded()
    let training = try model.trainingModule(
      DenoisingStep(NoisingStep(batch: 2, height: 4, width: 8), learnsLayout: true, regions: 2))
    let function = training.function
    #expect(Array(function.resultNames.prefix(3)) == ["loss", "errors", "layout"])
    let inputs = Dictionary(
      uniqueKeysWithValues: function.parameters.map { (function[$0].name, function.type($0).shape) })
    #expect(inputs["input_ids"] == [6, 77])
    for (height, width) in try model.unet().config.attentionResolutions(height: 4, width: 8) {
      #expect(inputs[UNet.coverageName(height, width)] == [3, height * width])
    }
  }

  @Test func theAutoencoderStepTrainsWhatItIsAskedTo() throws {
    let model = try DiffusersModel.embedded()
    func trained(_ trainsEncoder: Bool) throws -> [String] {
      try model.trainingModule(
        AutoencoderStep(batch: 1, height: 8, width: 8, trainsEncoder: trainsEncoder)
      ).trained.map(\.name)
    }
    #expect(try trained(true).sorted() == WeightInitialisation(model, .vae).names)
    #expect(
      try trained(false).allSatisfy {
        $0.hasPrefix("decoder.") || $0.hasPrefix("post_quant_conv.")
      })
    #expect {
      try model.trainingModule(
        AutoencoderStep(batch: 1, height: 10, width: 8, trainsEncoder: true))
    } throws: {
      String(describing: $0).contains("height is 10, expected a multiple of 4")
    }
  }
}
