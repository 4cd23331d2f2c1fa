import ArgumentParser
import MoscSample

extension GuidanceRange: ExpressibleByArgument {
  package init?(argument: String) { self.init(spelling: argument) }
}

/// What makes runs cheaper.
struct FewStepArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where guidance acts: shares of the denoising such as 0.2-0.8, or steps from 1 such as 3-12; "
        + "elsewhere a step follows the prompt alone, at half the cost.",
      valueName: "from-to"))
  var guidanceRange: GuidanceRange?

  @Option(
    help: ArgumentHelp(
      "Compute the U-Net's coarse layers every so many steps and take them from the last such step in "
        + "between (default: 1, always).",
      valueName: "steps"))
  var reuse = StepReuseOptions().interval

  @Option(
    help: ArgumentHelp(
      "How many of the U-Net's skips steps in between compute (default: \(StepReuseOptions().depth)).",
      valueName: "skips"))
  var reuseDepth = StepReuseOptions().depth

  @Option(help: ArgumentHelp("How many steps at the beginning reuse nothing.", valueName: "steps"))
  var reuseFirst = StepReuseOptions().first

  var options: FewStepOptions {
    var options = FewStepOptions()
    options.guidanceRange = guidanceRange
    (options.reuse.interval, options.reuse.depth) = (reuse, reuseDepth)
    options.reuse.first = reuseFirst
    return options
  }
}
