import Foundation
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// The concepts of a fusion as one process gives them to the others, files and all: others need none of them.
struct SharedConcepts: Codable {
  private struct Entry: Codable {
    var name, file, prompt, digest: String
    var strength, measured: [Float]
    var content: Data
  }

  /// The command line that all processes must have.
  let arguments: [String]
  private let entries: [Entry]

  init(_ concepts: [FusionConcept]) throws {
    arguments = Array(CommandLine.arguments.dropFirst())
    entries = try concepts.map { concept in
      let url = URL(fileURLWithPath: concept.file.path)
      return Entry(
        name: concept.name, file: url.lastPathComponent, prompt: concept.ownPrompt, digest: concept.digest,
        strength: [concept.strength.textEncoder, concept.strength.unet],
        measured: [concept.measured.textEncoder, concept.measured.unet],
        content: Data(try readFile(url)))
    }
  }

  /// Reads a message.
  ///
  /// - Throws: a usage error when this process was started with other options.
  init(_ bytes: [UInt8]) throws {
    do {
      self = try PropertyListDecoder().decode(Self.self, from: Data(bytes))
    } catch {
      throw CommandError.failure("rank 0 sent concepts that cannot be read: \(error)")
    }
    guard arguments == Array(CommandLine.arguments.dropFirst()) else {
      throw CommandError.usage(
        "the processes were started with different options; every one takes the same command line")
    }
  }

  var bytes: [UInt8] {
    get throws {
      let encoder = PropertyListEncoder()
      encoder.outputFormat = .binary
      return Array(try encoder.encode(self))
    }
  }

  /// The concepts, whose files are put in a folder.
  func concepts(in folder: URL) throws -> [FusionConcept] {
    try entries.enumerated().map { number, entry in
      // Files of several folders may have one name.
      let place = folder.appending(path: "\(number)")
      try makeFolder(place)
      let file = place.appending(path: URL(fileURLWithPath: entry.file).lastPathComponent)
      try AtomicFile.write(entry.content, to: file)
      func strength(_ values: [Float]) -> AdapterStrength {
        AdapterStrength(textEncoder: values.first ?? 1, unet: values.last ?? 1)
      }
      return try FusionConcept(
        path: file.path, strength: strength(entry.strength), calling: entry.prompt, digest: entry.digest,
        measured: strength(entry.measured), name: entry.name)
    }
  }
}
