/// A file of textual inversion: rows of the token table for one word, to be read one after the other.
///
/// Layouts: the web UI's and kohya's (`emb_params`, or `string_to_param.*` in torch files), whose word is the
/// file's name, and diffusers' (one tensor named by its word).
struct TextualInversion {
  let tensor: String
  let word: String

  /// What a file holds by the names and shapes of its tensors; nil for files of another kind.
  init?(_ tensors: [(name: String, shape: [Int])], _ fileName: String) {
    // Torch files hold the ids of the words, too.
    let rows = tensors.filter { !$0.name.hasPrefix("string_to_token.") }
    guard rows.count == 1, let (name, shape) = rows.first, 1...2 ~= shape.count else { return nil }
    tensor = name
    if name == "emb_params" || name.hasPrefix("string_to_param.") {
      word = fileName
    } else if !name.isEmpty, !name.contains("."), !name.contains("lora") || name.hasPrefix("<") {
      word = name
    } else {
      return nil
    }
  }
}
