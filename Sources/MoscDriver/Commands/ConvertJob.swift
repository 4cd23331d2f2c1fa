import Foundation
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// What `mosc convert` is asked for.
package struct ConvertRequest: Hashable, Sendable {
  package var model = ModelOptions()
  /// A `.safetensors` file for all parts in one file, else a folder in diffusers layout.
  package var output: String
  /// The type of all tensors; nil keeps the type of each.
  package var type: ElementType?

  package init(output: String) { self.output = output }
}

/// `mosc convert`: a model in the other layout.
package struct ConvertJob {
  package let request: ConvertRequest
  package let reporter: Reporter

  package init(_ request: ConvertRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  package func run() throws {
    let model = try ModelComponents.open(request.model.path, vae: request.model.vae)
    // All that is wrong with the model shows before anything is written.
    try ModelComponents.verify(model)
    let url = URL(fileURLWithPath: request.output)
    switch url.pathExtension.lowercased() {
    case "safetensors":
      try CheckpointWriter(model).write(
        to: url, as: request.type, metadata: ["mosc": Version.text, "format": "pt"])
    case "ckpt", "pt", "pth", "bin":
      throw CommandError.usage(
        "'\(request.output)': models are not written as pickles; give a name that ends in "
          + ".safetensors, or a folder")
    default:
      try AtomicFolder.write(to: url, mayReplace: { try refuse(url) }) { folder in
        let target = DiffusersFolder(url: folder)
        try target.writeAllButWeights(of: model)
        for component in DiffusersModel.Component.allCases {
          try Interruption.check()
          try target.writeWeights(of: model, component, as: request.type)
        }
      }
    }
    reporter.info("'\(request.output)': written from '\(model.url.path)'")
    try reporter.result(request.output)
  }

  /// Nothing gives way to a folder.
  private func refuse(_ url: URL) throws {
    var status = stat()
    if lstat(url.path, &status) == 0 {
      throw CommandError.failure("'\(url.path)' exists; remove it or give another name")
    }
  }
}
