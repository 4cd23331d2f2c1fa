import MoscEngine
import MoscNetworks

/// What `mosc run` is asked for.
package struct RunRequest: Hashable, Sendable {
  /// `text_encoder`, `unet`, `vae_encoder`, `vae_decoder`, `t2i_adapter`, `train_step`, `fuse_layer`,
  /// `scheduler`, or a `.mos` file.
  package var target: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var input: String
  package var output: String
  /// The function of a `.mos` file; nil for its first.
  package var function: String?
  /// Whether the reference evaluator runs in place of compiled code.
  package var usesEvaluator = false
  /// The sampler of `scheduler`; nil for those that the file's cases name.
  package var sampler: String?
  package var schedule: String?
  package var steps: Int?
  /// The solver of `fuse_layer`; nil for the reference's.
  package var solver: String?

  package init(_ target: String, input: String, output: String) {
    self.target = target
    self.input = input
    self.output = output
  }
}
