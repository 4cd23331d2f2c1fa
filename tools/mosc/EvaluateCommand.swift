import ArgumentParser
import MoscDiffusion
import MoscEvaluate
import MoscNetworks
import MoscSample

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Measure how well pictures show what they were to show.",
    discussion: """
      Pictures are compared with their captions and with references by a CLIP model: a small one that \
      ships and knows the embedded model's world, or any folder of a CLIPModel. Pictures are those of a \
      folder, or are drawn: every prompt with every seed.
      """)

  @Option(help: ArgumentHelp("Pictures to judge, with captions beside or settings inside.", valueName: "folder"))
  var pictures: String?

  @Option(name: [.long, .customLong("prompt-file")], help: ArgumentHelp(
    "Prompts to draw, one a line, with <TOK> for the concept; lines that begin with # name a group.",
    valueName: "file"))
  var prompts: String?

  @Option(help: ArgumentHelp(
    "Prompts to draw with captions that are wrong about them, as a list of objects.", valueName: "file.json"))
  var probes: String?

  @Option(help: ArgumentHelp(
    "Adapters to compare, each alone beside those of --lora (repeatable).", valueName: "file[:te[:unet]]"))
  var candidate: [AdapterRequest] = []

  @Option(help: ArgumentHelp("Strengths of each candidate (repeatable).", valueName: "number"))
  var strength: [Float] = []

  @Option(help: ArgumentHelp("Pictures of what the concept looks like.", valueName: "folder"))
  var references: String?

  @Option(help: ArgumentHelp("Masks of the references, STEM.png.", valueName: "folder"))
  var masks: String?

  @Option(name: .customLong("class"), help: ArgumentHelp("What the concept is, such as cat.", valueName: "word"))
  var className: String?

  @Option(help: ArgumentHelp("The words of the concept (default: those of the adapters).", valueName: "words"))
  var words: String?

  @Option(help: ArgumentHelp(
    "The concept of the next region with its references (repeatable).", valueName: "name=folder"))
  var concept: [EvaluateRequest.Concept] = []

  @Option(help: ArgumentHelp(
    "Captioned pictures that were not trained on, to measure the denoising loss with.", valueName: "folder"))
  var heldOut: String?

  @Option(help: ArgumentHelp(
    "Pictures of the same prompts without the concept, to compare with (default: drawn).", valueName: "folder"))
  var base: String?

  @Option(help: ArgumentHelp("The CLIP model that judges (default: the one that ships).", valueName: "folder"))
  var clip: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  @Option(help: ArgumentHelp("Write all pictures on one sheet.", valueName: "file"))
  var sheet: String?

  @Option(help: ArgumentHelp("Keep drawn pictures, with captions.", valueName: "folder"))
  var keep: String?

  @Option(help: ArgumentHelp("Seeds of each prompt (default: 0-3).", valueName: "list"))
  var seeds: SeedList?

  @Flag(help: "Draw 50 pictures of each prompt, as Mix-of-Show does.")
  var full = false

  @Option(name: [.customShort("W"), .long], help: "Width in pixels (default: that of the model's training).")
  var width: Int?

  @Option(name: [.customShort("H"), .long], help: "Height in pixels (default: that of the model's training).")
  var height: Int?

  @Option(help: "Denoising steps.")
  var steps = 20

  @Option(help: "Guidance (default: \(defaults(\.guidance))).")
  var cfgScale: Double?

  @Option(help: ArgumentHelp("The sampler.", valueName: "name"))
  var sampler = SampleRequest().sampler

  @Option(help: "Pictures drawn at a time.")
  var batchSize = 1

  @OptionGroup(title: "Regions") var regions: RegionArguments
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Adapters") var adapters: AdapterArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    if full && seeds != nil { throw ValidationError("--full and --seeds exclude each other") }
  }

  func request() throws -> EvaluateRequest {
    var request = EvaluateRequest()
    (request.pictures, request.promptFile, request.probeFile) = (pictures, prompts, probes)
    (request.candidates, request.strengths) = (candidate, strength)
    (request.references, request.masks, request.concepts) = (references, masks, concept)
    (request.className, request.words) = (className, words)
    (request.heldOut, request.basePictures, request.clip) = (heldOut, base, clip)
    (request.printsJSON, request.sheet, request.keep) = (json, sheet, keep)
    request.sample.model = adapters.applied(to: model.options)
    request.sample.compiler = try compiler.options(for: request.sample.model)
    request.sample.seeds = full ? EvaluateRequest.fullSeeds : seeds?.seeds() ?? EvaluateRequest.usualSeeds
    (request.sample.width, request.sample.height) = (width, height)
    (request.sample.steps, request.sample.guidance) = (steps, cfgScale)
    (request.sample.sampler, request.sample.batchSize) = (sampler, batchSize)
    request.sample.regions = regions.options
    return request
  }

  func run() throws {
    let reporter = try log.reporter()
    let request = try request()
    try cluster.draw(reporter) { try EvaluateJob(request, reporter, $0).run() }
  }
}
