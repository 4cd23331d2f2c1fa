import ArgumentParser
import MoscSample
import MoscServer

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve the studio, a page for the browser, and the APIs that other programs know.",
    discussion: """
      The page draws regions, pictures, concepts and what becomes of several of them. Clients of the A1111 web UI \
      (/sdapi/v1) and of OpenAI's images API (/v1/images) find theirs, and /mosc/v1/openapi.json describes \
      everything. Pictures and jobs are kept in the output folder.
      """)

  @Option(help: ArgumentHelp("The address to listen on.", valueName: "address"))
  var listen = ServerOptions().listen

  @Option(help: "The port; 0 for any that is free.")
  var port = ServerOptions().port

  @Option(help: ArgumentHelp(
    "Who may come in; needed where others can connect.", valueName: "user:password,…"))
  var apiAuth: String?

  @Option(help: ArgumentHelp(
    "A name besides localhost that the server goes by (repeatable).", valueName: "name"))
  var allowHost: [String] = []

  @Option(help: "The most jobs that wait.")
  var maxQueue = ServerOptions().mostQueued

  @Option(help: ArgumentHelp("A folder of further models.", valueName: "folder"))
  var models: String?

  @Option(name: [.long, .customLong("lora-model-dir")],
    help: ArgumentHelp(
      "Where <lora:name:strength> looks and taught concepts go (default: concepts in the output folder).",
      valueName: "folder"))
  var loraDir: String?

  @Option(name: [.long, .customLong("embeddings-dir")],
    help: ArgumentHelp("Where embeddings are that prompts name.", valueName: "folder"))
  var embdDir: String?

  @Option(help: ArgumentHelp("Where pictures and jobs are kept.", valueName: "folder"))
  var outputDir = ServerOptions().output

  @Flag(help: "Open the studio in the browser.")
  var open = false

  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Compiler") var compiler: CompilerArguments
  @OptionGroup(title: "Several processes") var cluster: ClusterArguments
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    let options = try options()
    try cluster.lead(reporter, { try PictureWorker($0, reporter, outlastsErrors: true).run() }) {
      try ServeJob(options, reporter, $0.map(PictureTeam.init)).run()
    }
  }

  private func options() throws -> ServerOptions {
    var options = ServerOptions()
    (options.listen, options.port, options.apiAuth) = (listen, port, apiAuth)
    (options.allowedHosts, options.mostQueued) = (allowHost, maxQueue)
    (options.models, options.loraFolder, options.embeddingFolder) = (models, loraDir, embdDir)
    (options.output, options.opensBrowser) = (outputDir, open)
    (options.model, options.compiler) = (model.options, try compiler.options(for: model.options))
    return options
  }
}
