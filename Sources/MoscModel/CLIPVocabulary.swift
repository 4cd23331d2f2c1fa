import MoscFormats

/// The tokenizer that all models of Stable Diffusion 1.x share, for files that bring none.
package enum CLIPVocabulary {
  /// CLIP's own tokenizer, read from the files beside the program.
  package static func tokenizer() throws -> CLIPTokenizer {
    try CLIPTokenizer(folder: try BundledFiles.folder("clip"))
  }
}
