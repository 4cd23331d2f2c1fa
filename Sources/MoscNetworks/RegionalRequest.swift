import Foundation
import MoscFormats
import MoscReport

/// The adapter files that regions carry, each once.
package struct RegionalRequest: Hashable, Sendable {
  /// The files, in the order in which regions name them.
  package private(set) var files: [AdapterRequest] = []
  /// For each region the files it carries, by index.
  package private(set) var carried: [[Int]] = []

  /// Nothing for any region.
  package init() {}

  /// - Parameters:
  ///   - regions: the adapters of each region.
  ///   - global: the adapters of the whole picture.
  /// - Throws: a usage error for a file that is named with two pairs of strengths, twice in one region, or
  ///   for the whole picture too.
  package init(_ regions: [[AdapterRequest]], global: [AdapterRequest]) throws {
    let everywhere = Set(global.map { Self.place($0) })
    var known: [String: Int] = [:]
    for (number, requests) in regions.enumerated() {
      var own: [Int] = []
      for request in requests {
        let place = Self.place(request)
        guard !everywhere.contains(place) else {
          throw CommandError.usage(
            "the adapter '\(request.path)' is both for the whole picture and for region \(number + 1); "
              + "leave out one of them")
        }
        let index = known[place] ?? files.count
        if index == files.count {
          known[place] = index
          files.append(request)
        }
        let first = files[index]
        guard (first.textEncoder, first.unet) == (request.textEncoder, request.unet) else {
          throw CommandError.usage(
            "the adapter '\(request.path)' has the strengths \(Self.strengths(first)) and "
              + "\(Self.strengths(request)) in different places; expected one pair for each file")
        }
        guard !own.contains(index) else {
          throw CommandError.usage(
            "region \(number + 1) names the adapter '\(request.path)' twice; leave out one of them")
        }
        own.append(index)
      }
      carried.append(own)
    }
  }

  /// What tells a file from others, however it is spelled.
  private static func place(_ request: AdapterRequest) -> String {
    URL(fileURLWithPath: request.path).resolvingSymlinksInPath().standardizedFileURL.path
  }

  private static func strengths(_ request: AdapterRequest) -> String {
    "\(request.textEncoder):\(request.unet)"
  }
}
