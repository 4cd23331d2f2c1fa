import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// A concept that takes part in a fusion.
struct FusionConcept: Sendable {
  /// The name in reports and of files.
  var name: String
  /// What prompts call it: its words, or plain text for adapters without words.
  var prompt: String
  /// The same as the file itself spells it.
  let ownPrompt: String
  var file: AdapterFile
  var strength: AdapterStrength
  /// The SHA-256 of the file it came from.
  var digest: String
  /// The digest's statistics belong to these strengths.
  var measured: AdapterStrength

  /// Reads a concept.
  ///
  /// - Parameter calling: what prompts call it; nil for the words of the file.
  /// - Throws: what is wrong with the file, or with a word that it lacks.
  init(
    path: String, strength: AdapterStrength, calling: String? = nil, digest: String? = nil,
    measured: AdapterStrength? = nil, name: String? = nil
  ) throws {
    let url = URL(fileURLWithPath: path)
    guard FileManager.default.fileExists(atPath: path) else {
      throw FormatError(path, nil, "there is no such file")
    }
    guard strength.textEncoder.isFinite, strength.unet.isFinite else {
      throw CommandError.failure("'\(path)': the strengths are no numbers")
    }
    let read = try AdapterFile(url)
    if let word = read.words.first(where: { !$0.isLayerwise && $0.rows.shape[0] > 1 }) {
      throw FormatError(
        path, "word \"\(word.text)\"",
        "has \(word.rows.shape[0]) vectors that follow one another and cannot be fused")
    }
    var words = read.words
    if let calling {
      let named = calling.split(separator: " ").map(String.init).filter { $0.hasPrefix("<") }
      for word in named where !words.contains(where: { $0.text == word }) {
        let known = words.isEmpty ? "no words" : words.map(\.text).joined(separator: ", ")
        throw FormatError(
          path, "word \"\(word)\"", "has no token rows in the file, which holds \(known)")
      }
      words = named.compactMap { text in words.first { $0.text == text } }
        + words.filter { !named.contains($0.text) }
    }
    file = AdapterFile(
      path: path, layers: read.layers, wholeLayers: read.wholeLayers, words: words,
      metadata: read.metadata)
    leftovers = read.leftovers
    self.name = name ?? read.name
    let own = words.map(\.text).joined(separator: " ")
    // A phrase of concept words that the file does not hold would name another concept.
    let phrase = read.metadata["modelspec.trigger_phrase"].flatMap { $0.contains("<") ? nil : $0 }
    let fallback = own.isEmpty ? phrase ?? read.name : own
    prompt = calling.flatMap { $0.isEmpty ? nil : $0 } ?? fallback
    ownPrompt = prompt
    self.strength = strength
    self.digest = try digest ?? FileHash.sha256(of: url)
    self.measured = measured ?? strength
  }

  /// Tensors of the file that nothing can use.
  private(set) var leftovers: [(name: String, reason: String)]

  /// The prompts whose words the concept must keep.
  var prompts: [String] { ["photo of a \(prompt)", prompt] }

  /// A prompt for any concept as one of this.
  func said(_ prompt: String) -> String {
    prompt.replacing(ConceptPlaceholder.text, with: self.prompt)
  }

  /// The concept with only some of its layers.
  func file(_ isKept: (AdapterFile.Layer) -> Bool) -> AdapterFile {
    AdapterFile(path: file.path, layers: file.layers.filter(isKept), words: file.words)
  }

  /// The change of a layer: B with scale and strength `[out,r]`, A `[r,in]`; nil for none.
  func factors(_ layer: FusionLayer) -> (up: Matrix, down: Matrix)? {
    let found = file.layers.first { $0.network == layer.network && $0.key == layer.key }
    guard let own = found else { return nil }
    let factor = Double(own.scale) * Double(strength[layer.network])
    let rank = own.rank
    return (
      Matrix(own.up.count / rank, rank, own.up.floats.map { Double($0) * factor }),
      Matrix(rank, own.down.count / rank, own.down.floats.map(Double.init))
    )
  }

  /// Calls every layer as the model does, and makes every change a product: those that have no narrow factors get one of full rank.
  mutating func factorise(_ model: DiffusersModel) throws {
    file = try model.spelled(file)
    if file.wholeLayers.isEmpty { return }
    let made = try model.factors(of: file.wholeLayers, path: file.path)
    leftovers += made.unmatched
    file = AdapterFile(
      path: file.path, layers: file.layers + made.layers, words: file.words, metadata: file.metadata)
  }

  /// The words under other names.
  mutating func rename(_ old: String, to new: String) {
    let words = file.words.map { word in
      word.text == old
        ? AdapterFile.Word(text: new, rows: word.rows, isLayerwise: word.isLayerwise) : word
    }
    file = AdapterFile(
      path: file.path, layers: file.layers, wholeLayers: file.wholeLayers, words: words,
      metadata: file.metadata)
    prompt = prompt.replacing(old, with: new)
  }
}

/// The concepts of a fusion in their order, checked against the model and each other.
struct FusionConcepts {
  private(set) var list: [FusionConcept] = []
  /// What the user should know, such as words that were renamed.
  private(set) var notes: [String] = []
  private let model: DiffusersModel
  private let allowsUnmatched: Bool

  init(_ model: DiffusersModel, allowsUnmatched: Bool) {
    self.model = model
    self.allowsUnmatched = allowsUnmatched
  }

  /// Adds the concept of an argument, or those of its configuration.
  mutating func add(_ input: FusionInput) throws {
    switch input {
    case .configuration(let path): try add(configuration: path)
    case .concept(let file):
      guard file.blocks == nil else {
        throw CommandError.usage(
          "'\(file.path)': lbw= is for drawing; fusing takes a strength for the text encoder and one for the U-Net")
      }
      try add(
        FusionConcept(
          path: file.path,
          strength: AdapterStrength(textEncoder: file.textEncoder, unet: file.unet)))
    }
  }

  /// Adds the concepts of a configuration of the reference; paths are relative to the file, or to
  /// where the command runs.
  private mutating func add(configuration path: String) throws {
    let value = try JSONValue.parse(try readFile(URL(fileURLWithPath: path)), path: path)
    guard let entries = value.array else {
      throw FormatError(path, nil, "expected a list of concepts, found \(value.kindName)")
    }
    guard !entries.isEmpty else { throw FormatError(path, nil, "the list of concepts is empty") }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    for (number, entry) in entries.enumerated() {
      let place = "concept \(number + 1)"
      guard let file = entry["lora_path"]?.string else {
        throw FormatError(path, place, "expected a text 'lora_path', found \(entry)")
      }
      func strength(_ key: String) throws -> Float {
        guard let found = entry[key] else { return 1 }
        guard let number = found.double, Float(number).isFinite else {
          throw FormatError(path, place, "'\(key)' is \(found), expected a number")
        }
        return Float(number)
      }
      let beside = folder.appending(path: file).path
      let isBeside = !file.hasPrefix("/") && FileManager.default.fileExists(atPath: beside)
      try add(
        FusionConcept(
          path: isBeside ? beside : file,
          strength: AdapterStrength(
            textEncoder: try strength("text_encoder_alpha"), unet: try strength("unet_alpha")),
          calling: entry["concept_name"]?.string))
    }
  }

  /// Adds a concept after checking that its layers and words fit the model.
  mutating func add(_ concept: FusionConcept) throws {
    var concept = concept
    try concept.factorise(model)
    if let twin = list.first(where: { $0.digest == concept.digest }) {
      throw FormatError(
        concept.file.path, nil, "is the same concept as '\(twin.file.path)'; give it once")
    }
    // Words are compared below, so that one that is taken can be renamed.
    let renamed = AdapterFile(
      path: concept.file.path, layers: concept.file.layers,
      words: concept.file.words.enumerated().map { number, word in
        AdapterFile.Word(
          text: "<word-\(number)>", rows: word.rows, isLayerwise: word.isLayerwise)
      })
    let set = try AdapterSet([(renamed, concept.strength)], model)
    let unmatched = (set.adapters.first?.unmatched ?? []) + concept.leftovers
    if let first = unmatched.first, !allowsUnmatched {
      throw CommandError(
        .strictness,
        "\(concept.file.path): \(unmatched.count) tensors found no place in the model, the first "
          + "is '\(first.name)': \(first.reason); --allow-unmatched leaves them out")
    }
    let texts = concept.file.words.map(\.text)
    if let twice = texts.first(where: { text in texts.filter { $0 == text }.count > 1 }) {
      throw FormatError(concept.file.path, "word \"\(twice)\"", "is there twice")
    }
    var taken = Set(list.flatMap { $0.file.words.map(\.text) })
    taken.formUnion(try model.conceptWords().map(\.text))
    for word in concept.file.words.map(\.text) where taken.contains(word) {
      let stem = word.hasSuffix(">") ? String(word.dropLast()) : word
      let end = word.hasSuffix(">") ? ">" : ""
      var number = 2
      while taken.contains("\(stem)-\(number)\(end)") { number += 1 }
      let new = "\(stem)-\(number)\(end)"
      concept.rename(word, to: new)
      notes.append(
        "the word \(word) of '\(concept.file.path)' is taken by another concept; here it is \(new)")
    }
    var name = concept.name
    var number = 2
    // Names that differ in blanks alone would share files in a folder of statistics.
    while list.contains(where: { StatisticsFolder.fileName($0.name) == StatisticsFolder.fileName(name) }) {
      name = "\(concept.name)-\(number)"
      number += 1
    }
    concept.name = name
    list.append(concept)
  }

  /// Takes the concept of that name, or with that word, out.
  mutating func remove(_ name: String) throws {
    list.remove(at: try index(name, option: "remove"))
  }

  /// Changes the strengths of a concept.
  mutating func reweigh(_ change: Reweighing) throws {
    list[try index(change.name, option: "reweigh")].strength = AdapterStrength(
      textEncoder: change.textEncoder, unet: change.unet)
  }

  private func index(_ name: String, option: String) throws -> Int {
    if let index = list.firstIndex(where: { concept in
      concept.name == name || concept.prompt == name
        || concept.file.words.contains { $0.text == name }
    }) {
      return index
    }
    let known = list.map(\.name).joined(separator: ", ")
    throw CommandError.usage("--\(option) '\(name)': there is no such concept, only \(known)")
  }
}
