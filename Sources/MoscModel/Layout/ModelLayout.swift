import Foundation
import MoscFormats

/// Where the parts of a model lie: in a folder with one subfolder each, or in one file.
package protocol ModelLayout: Sendable {
  /// The folder or file that was named.
  var url: URL { get }
  /// The configuration of a part.
  func config(_ component: DiffusersModel.Component) throws -> JSONObject
  /// The weights of a part.
  func files(_ component: DiffusersModel.Component) throws -> ComponentFiles
  /// The scheduler's configuration; nil where the model says nothing.
  func schedulerConfig() throws -> JSONObject?
  /// The folder of the tokenizer's files.
  func tokenizerFolder() throws -> URL
  /// What suits the model where the user says nothing (`mosc.json`); nil where it says nothing either.
  func defaults() throws -> JSONObject?
  /// The words that a fused model has learnt; nil where there are none.
  func conceptWords() throws -> JSONObject?
  /// The words that a small model was trained on (`words.json`); nil where it says nothing.
  func learntWords() throws -> JSONObject?
}

/// A layout whose autoencoder comes from elsewhere.
struct LayoutWithVAE: ModelLayout {
  let base: any ModelLayout
  let vae: any ModelLayout

  var url: URL { base.url }

  func config(_ component: DiffusersModel.Component) throws -> JSONObject {
    try (component == .vae ? vae : base).config(component)
  }

  func files(_ component: DiffusersModel.Component) throws -> ComponentFiles {
    try (component == .vae ? vae : base).files(component)
  }

  func schedulerConfig() throws -> JSONObject? { try base.schedulerConfig() }
  func tokenizerFolder() throws -> URL { try base.tokenizerFolder() }
  func defaults() throws -> JSONObject? { try base.defaults() }
  func conceptWords() throws -> JSONObject? { try base.conceptWords() }
  func learntWords() throws -> JSONObject? { try base.learntWords() }
}
