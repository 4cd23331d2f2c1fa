import ArgumentParser

@main
struct Mosc: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "mosc")
}
