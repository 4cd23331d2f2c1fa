import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscTrain

/// `mosc run train_step`: one training step on recorded draws, for comparison with other programs.
///
/// Read is a `StepRecording`; written are `loss`, `attn_reg`, `model_pred` and `grad.` with every
/// trained tensor.
package struct TrainStepJob {
  package let request: RunRequest
  package let reporter: Reporter

  package init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let output = try OutputFile(request.output)
    let recording = try StepRecording(request.input)
    var options = request.model
    guard options.adapters.files.count == 1 else {
      throw CommandError.usage("run train_step trains one concept: give its file with --lora")
    }
    options.adapters.files[0].textEncoder *= recording.alpha
    options.adapters.files[0].unet *= recording.alpha
    let model = try ModelComponents.open(options)
    let batch = try recording.batch("")
    let step = try ConceptStep(BatchForm(batch), recording.setup.model, model)
    let compiler = try Compiler(training: request.compiler, precision: options.precision, reporter)
    let training = try model.trainingModule(step)
    let concept = TrainedConcept(model)
    let groups = try concept.groups(training, recording.setup.model, OptimiserSettings())
    let program = try TrainingProgram(training, groups, compiler)
    let inputs = try ConceptInputs(step, recording.setup.model, model).inputs(batch)
    let results = try program.gradients(inputs)
    var tensors: [(String, HostArray)] = ["loss", "attn_reg"].compactMap { name in
      results[name].map { (name, $0) }
    }
    if let prediction = results["model_pred"] {
      tensors.append(("model_pred", prediction.channelsFirst))
    }
    for (tensor, values) in concept.tensors(.gradients, of: groups) {
      tensors.append((ResultName.gradient(of: tensor.name), values))
    }
    try TensorFile.write(
      tensors,
      metadata: ["mosc": Version.text, "type": compiler.target.precision.rawValue],
      to: output)
  }
}
