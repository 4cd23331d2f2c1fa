import ArgumentParser
import MoscPrompts

/// How prompts are read.
struct PromptArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What characters in prompts mean: a1111 (weights, AND, BREAK, schedules, choices) or plain "
        + "(nothing) (default: a1111).",
      valueName: "syntax"))
  var promptSyntax: PromptSettings.Syntax?

  @Option(help: ArgumentHelp("What weights do: original, no-norm, ignore or none.", valueName: "mode"))
  var emphasis = Emphasis.original

  @Option(
    help: ArgumentHelp(
      "How many tokens before the end of a full chunk a comma may be at which it is cut; 0 for none.",
      valueName: "tokens"))
  var commaBacktrack = PromptSettings().commaBacktrack

  @Flag(help: "Count the steps of [a:b:8] as the A1111 web UI did before 1.6.")
  var oldPromptTiming = false

  @Option(help: ArgumentHelp("A styles.csv of the A1111 web UI.", valueName: "file"))
  var stylesFile: String?

  @Option(help: ArgumentHelp("A style of that file (repeatable).", valueName: "name"))
  var style: [String] = []

  @Option(help: ArgumentHelp("Where '__name__' in prompts finds name.txt.", valueName: "folder"))
  var wildcardsDir: String?

  var settings: PromptSettings {
    get throws {
      guard 0...75 ~= commaBacktrack else {
        throw ValidationError("--comma-backtrack \(commaBacktrack): expected a number from 0 to 75")
      }
      var settings = PromptSettings()
      (settings.syntax, settings.emphasis) = (promptSyntax, emphasis)
      (settings.commaBacktrack, settings.usesOldTiming) = (commaBacktrack, oldPromptTiming)
      (settings.stylesFile, settings.styles) = (stylesFile, style)
      settings.wildcardFolder = wildcardsDir
      return settings
    }
  }
}
