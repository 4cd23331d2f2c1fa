import MoscDiffusion
import MoscEngine
import MoscFuse
import MoscNetworks
import MoscPrompts

/// What `mosc run` is asked for.
package struct RunRequest: Hashable, Sendable {
  package var target: RunTarget
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var input: String
  package var output: String
  /// The function of a `.mos` file; nil for its first.
  package var function: String?
  /// Whether the reference evaluator runs in place of compiled code.
  package var usesEvaluator = false
  /// The sampler of `scheduler`; nil for those that the file's cases name.
  package var sampler: SamplerName.Choice?
  /// How `scheduler` places noise levels; nil for the sampler's own.
  package var levels: SchedulerConfig.Levels?
  package var steps: Int?
  /// The part of the prompt language that `prompts` answers.
  package var promptKind: PromptRecords.Kind?
  /// The solver of `fuse_layer`, the reference's unless another is asked for.
  package var solver = FusionSolver.lbfgs

  package init(_ target: RunTarget, input: String, output: String) {
    self.target = target
    self.input = input
    self.output = output
  }
}
