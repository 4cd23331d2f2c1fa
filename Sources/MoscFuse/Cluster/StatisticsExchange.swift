import Foundation
import MoscCluster
import MoscFormats
import MoscReport

/// Brings statistics from those who measured to those who solve, a tensor at a time.
struct StatisticsExchange {
  /// The statistics of a concept and stage.
  struct Item {
    var concept: FusionConcept
    var stage: FusionLayer.Stage
    /// Who measured it.
    var owner: Int
    var key: String
    /// The file, where it was measured here.
    var file: StatisticsFile?
    var table: StatisticsTable
  }

  let cluster: Cluster
  let items: [Item]
  /// The tensors of an item that a process gets.
  let needed: (Item, _ rank: Int) -> [Int]
  /// Where files of this process go.
  let folder: StatisticsFolder

  /// Sends and receives, and opens what this process needs of each item.
  func run() throws -> [StatisticsFile] {
    var files = items.map(\.file)
    for distance in 1..<max(1, cluster.size) {
      let (to, from) = ((cluster.rank + distance) % cluster.size, (cluster.rank + cluster.size - distance) % cluster.size)
      let outgoing = pieces(from: cluster.rank, to: to)
      let incoming = pieces(from: from, to: cluster.rank)
      var sums: [(layers: [String], sum: MomentSum)] = []
      try cluster.shift(
        outgoing.map(label), to: to,
        content: { index in
          let piece = outgoing[index]
          let item = items[piece.item]
          return try item.file?.bytes(of: item.table.entries[piece.tensor].tensor) ?? []
        }, incoming.map(label), from: from
      ) { index, bytes in
        let piece = incoming[index]
        let item = items[piece.item]
        let entry = item.table.entries[piece.tensor]
        guard bytes.count == 8 * MomentSum.count(entry.width) else {
          throw CommandError.failure(
            "statistics of \(item.concept.name) have \(bytes.count) bytes, expected \(8 * MomentSum.count(entry.width))")
        }
        let values = NumberReader.doubles(bytes[...])
        sums.append((entry.layers, MomentSum(width: entry.width, rows: entry.rows, values: values)))
        // The last of its file.
        guard index + 1 == incoming.count || incoming[index + 1].item != piece.item else { return }
        files[piece.item] = try write(ConceptMoments(sums: sums), item)
        sums = []
      }
    }
    // A concept that asks nothing of this process's layers changes them nevertheless.
    return try items.indices.map { try files[$0] ?? write(ConceptMoments(), items[$0]) }
  }

  /// A tensor of an item.
  private struct Piece {
    var item, tensor: Int
  }

  private func pieces(from owner: Int, to rank: Int) -> [Piece] {
    items.indices.filter { items[$0].owner == owner }.flatMap { item in
      needed(items[item], rank).map { Piece(item: item, tensor: $0) }
    }
  }

  private func label(_ piece: Piece) -> MessageLabel { MessageLabel(.statistics, piece.item, part: piece.tensor) }

  private func write(_ moments: ConceptMoments, _ item: Item) throws -> StatisticsFile {
    let url = folder.moments(item.concept, item.stage)
    try StatisticsFile.write(moments, key: item.key, to: url)
    guard let file = try StatisticsFile(url, key: item.key) else {
      throw CommandError.failure("'\(url.path)' cannot be read back")
    }
    return file
  }
}
