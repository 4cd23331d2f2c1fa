/// How attention is cut; decided by `choose-kernels`.
package struct AttentionBlocks: Hashable, Sendable {
  /// Queries of a block. Forwards they lie in vector lanes: a whole number of vectors.
  package var queries: Int
  /// Keys of a block. In the backward pass they lie in vector lanes.
  package var keys: Int
  /// Blocks that share a pass over the others: of queries forwards, of keys backwards.
  package var group: Int

  package init(queries: Int, keys: Int, group: Int) {
    self.queries = queries
    self.keys = keys
    self.group = group
  }

  /// What the extent of a block that does not lie in lanes is a multiple of: the rows of a register
  /// tile.
  package static let tileRows = 4

  /// Reads `blocks: [queries, keys, group]`, if present.
  static func read(_ reader: inout AttributeReader) throws(OpError) -> AttentionBlocks? {
    guard let list = try reader.optionalInts("blocks") else { return nil }
    guard list.count == 3, list.allSatisfy({ 1...Tile.mostNumber ~= $0 }) else {
      throw OpError(
        "blocks.numbers", "expected three numbers from 1 to \(Tile.mostNumber), found \(list)")
    }
    return AttentionBlocks(queries: list[0], keys: list[1], group: list[2])
  }

  /// The attribute, or none for undecided blocks.
  static func attributes(_ blocks: AttentionBlocks?) -> [LabeledAttribute] {
    blocks.map { [LabeledAttribute("blocks", .ints([$0.queries, $0.keys, $0.group]))] } ?? []
  }
}
