import ArgumentParser
import MoscReport
import MoscSample

/// Pictures that a drawing follows through ControlNets.
struct ControlArguments: ParsableArguments {
  @Option(name: [.customLong("control"), .customLong("control-net")],
    help: ArgumentHelp("A ControlNet of Stable Diffusion 1.5 (repeatable).", valueName: "file|folder"))
  var control: [String] = []

  @Option(help: ArgumentHelp("The picture that each ControlNet reads, in order.", valueName: "file"))
  var controlImage: [String] = []

  @Option(help: ArgumentHelp("The strength of each, in order (default: 1).", valueName: "number"))
  var controlStrength: [Double] = []

  @Option(help: ArgumentHelp("Where each begins to act, as a part of the steps (default: 0).", valueName: "0…1"))
  var controlStart: [Double] = []

  @Option(help: ArgumentHelp("Where each ends to act (default: 1).", valueName: "0…1"))
  var controlEnd: [Double] = []

  @Option(help: ArgumentHelp("What counts more, prompt or picture, in order.", valueName: "mode"))
  var controlMode: [ControlRequest.Mode] = []

  @Option(help: ArgumentHelp(
    "What is made of each picture first: canny (or canny:LOW,HIGH), scribble, invert or none (default: none).",
    valueName: "canny|scribble|…"))
  var controlPreprocess: [ControlPreprocessor] = []

  var options: ControlOptions {
    get throws {
      guard controlImage.count == control.count else {
        throw CommandError.usage(
          "\(control.count) --control and \(controlImage.count) --control-image: every ControlNet needs its "
            + "picture")
      }
      let given = [
        ("strength", controlStrength.count), ("start", controlStart.count), ("end", controlEnd.count),
        ("mode", controlMode.count), ("preprocess", controlPreprocess.count),
      ]
      for (option, count) in given where count > control.count {
        throw CommandError.usage("\(count) --control-\(option) for \(control.count) --control")
      }
      var options = ControlOptions()
      for index in control.indices {
        var net = ControlRequest(net: control[index], image: controlImage[index])
        if index < controlStrength.count { net.strength = controlStrength[index] }
        if index < controlStart.count { net.start = controlStart[index] }
        if index < controlEnd.count { net.end = controlEnd[index] }
        if index < controlMode.count { net.mode = controlMode[index] }
        if index < controlPreprocess.count { net.preprocessor = controlPreprocess[index] }
        options.nets.append(net)
      }
      return options
    }
  }
}

extension ControlRequest.Mode: ExpressibleByArgument {}

extension ControlPreprocessor: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}
