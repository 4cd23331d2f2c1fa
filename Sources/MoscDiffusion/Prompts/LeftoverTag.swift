/// A tag such as `<lora:name:1>` where none is read: in a prompt it would silently be taken for words.
package enum LeftoverTag {
  /// The kinds of networks that programs of this field ask for by tags.
  private static let kinds = ["lora", "lyco", "hypernet", "lbw", "ti", "embedding"]

  /// Refuses a text with a tag.
  ///
  /// - Parameters:
  ///   - place: what errors call the text.
  ///   - readsLoras: whether `<lora:…>` is read there.
  package static func refuse(
    in text: String, _ place: String, readsLoras: Bool = false
  ) throws(PromptError) {
    var rest = text[...]
    while let open = rest.firstIndex(of: "<") {
      let inside = rest[open...].dropFirst()
      let close = inside.firstIndex { $0 == "<" || $0 == ">" }
      let body = inside[..<(close ?? inside.endIndex)]
      let kind = body.prefix { $0 != ":" }
      if let close, inside[close] == ">", kind.endIndex < body.endIndex, kinds.contains(kind.lowercased()) {
        let tag = "<\(body)>"
        guard kind == "lora" else {
          throw PromptError(
            "\(place) holds '\(tag)'; only <lora:name:strength> is read"
              + (kind.lowercased() == "lora" ? "" : ", and only LoRA and its relatives are supported"))
        }
        if !readsLoras {
          throw PromptError(
            "\(place) holds '\(tag)', where no adapter is read: put the tag into the prompt of the picture, or into "
              + "that of a region for the region alone")
        }
      }
      rest = rest[(close ?? rest.endIndex)...]
      if rest.first == ">" { rest = rest.dropFirst() }
    }
  }
}
