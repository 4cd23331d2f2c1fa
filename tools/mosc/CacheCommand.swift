import ArgumentParser
import MoscDriver
import MoscReport

struct CacheCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cache", abstract: "Say how large the cache of kernels and packed weights is; clear or limit it.",
    subcommands: [
      CacheSizeCommand.self, CacheListCommand.self, CacheClearCommand.self, CacheLimitCommand.self,
    ], defaultSubcommand: CacheSizeCommand.self)
}

/// Which cache.
struct CacheOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of the cache of kernels and packed weights.", valueName: "folder"))
  var cacheDir: String?

  var job: CacheJob { CacheJob(cacheFolder: cacheDir) }
}

struct CacheSizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "size", abstract: "Say where it is, how large, and how large it may become.")

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var cache: CacheOptions
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    try perform(try log.reporter()) {
      try StandardOutput.print(json ? "\(cache.job.summary())" : cache.job.text())
    }
  }
}

struct CacheListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List its files with the time of their last use.")

  @OptionGroup var cache: CacheOptions
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    try perform(try log.reporter()) {
      for line in cache.job.list() { try StandardOutput.print(line) }
    }
  }
}

struct CacheClearCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clear", abstract: "Remove its files; the next run compiles and packs anew.")

  @OptionGroup var cache: CacheOptions
  @OptionGroup(title: "Messages") var log: LogOptions

  func run() throws {
    let reporter = try log.reporter()
    try perform(reporter) { reporter.info(try cache.job.clear()) }
  }
}

struct CacheLimitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limit",
    abstract: "Set how large it may become, such as 4G, or 'default'; what was not used for longest goes.",
    discussion: "The variable MOSC_CACHE_LIMIT comes before it.")

  @Argument(help: ArgumentHelp("The size.", valueName: "size|default"))
  var size: String

  @OptionGroup var cache: CacheOptions
  @OptionGroup(title: "Messages") var log: LogOptions

  func validate() throws {
    if size != "default", ByteSize(spelling: size) == nil {
      throw ValidationError("'\(size)': expected a size such as 4G, or 'default'")
    }
  }

  func run() throws {
    let reporter = try log.reporter()
    try perform(reporter) {
      try cache.job.setLimit(ByteSize(spelling: size))
      reporter.info(try cache.job.text())
    }
  }
}
