import MoscDiffusion
import MoscFormats
import MoscImages
import MoscReport

/// Pictures on the way: how, how often and where to.
package struct PreviewOptions: Hashable, Codable, Sendable {
  package var method = LatentPreview.Method.none
  /// A picture after so many calls of the model.
  package var interval = 1
  /// The file that every preview replaces.
  package var path = usualPath
  /// A file or folder with a tiny autoencoder for previews; nil where the model has one.
  package var taesd: String?

  package static let usualPath = "preview.png"

  package init() {}

  /// The file of previews, if there are any.
  ///
  /// - Throws: a usage error for numbers and files that cannot be.
  func file() throws -> OutputFile? {
    guard method != .none else { return nil }
    try CommandError.check("preview-interval", interval, in: 1...1000)
    let file = try OutputFile(path, .picture)
    if file.isStandardOutput { throw CommandError.usage("--preview-path -: expected a file") }
    return file
  }
}

/// Writes previews of a run, each in place of the one before and whole.
package final class PreviewWriter {
  private let preview: LatentPreview
  private let interval: Int
  private let file: OutputFile

  package init(_ preview: LatentPreview, every interval: Int, to file: OutputFile) {
    (self.preview, self.interval, self.file) = (preview, interval, file)
  }

  /// Writes what a step predicts, if it is its turn: of several pictures the first, the last step not, as the
  /// picture follows.
  package func see(_ step: Denoising.Step, _ prediction: SchedulerConfig.Prediction) throws {
    guard (step.number + 1) % interval == 0, step.number + 1 < step.count else { return }
    guard let image = try preview.image(of: step.data(prediction).samples(0..<1)) else { return }
    _ = try file.put(image, texts: [])
  }

  /// Gives back what previews needed, before pictures are decoded.
  package func release() { preview.release() }
}
