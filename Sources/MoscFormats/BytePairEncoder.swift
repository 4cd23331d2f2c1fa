/// Byte-level byte-pair encoding with an end-of-word mark, as CLIP trains it.
///
/// Symbols are integers: ids of the vocabulary, and larger numbers for symbols that only merges
/// know. A word of n bytes takes O(n log n) time, so that no prompt is slow.
/// Source: Sennrich et al. 2016, algorithm 1; byte stand-ins of GPT-2.
struct BytePairEncoder: Sendable {
  private struct Merge: Sendable {
    var rank: Int
    var symbol: Int32
  }

  private(set) var vocabulary: [String: Int32]
  private var merges: [UInt64: Merge] = [:]
  /// The symbols of the 256 bytes, then of the 256 bytes that end a word.
  private var bytes: [Int32] = []
  /// The first number that is no id.
  private let limit: Int32
  /// The id of symbols outside the vocabulary.
  var unknown: Int32 = 0

  /// An encoder of a vocabulary and the merges in their order.
  init(_ source: TokenizerVocabulary) {
    let vocabulary = source.vocabulary
    let limit = (vocabulary.values.max() ?? -1) + 1
    var extra: [String: Int32] = [:]
    func intern(_ text: String) -> Int32 {
      if let known = vocabulary[text] ?? extra[text] { return known }
      let number = limit + Int32(extra.count)
      extra[text] = number
      return number
    }
    let names = Self.byteNames()
    bytes = names.map(intern) + names.map { intern($0 + TokenizerVocabulary.wordEnd) }
    merges.reserveCapacity(source.merges.count)
    for (left, right) in source.merges {
      let pair = Self.key(intern(left), intern(right))
      // The first of two equal ones decides.
      if merges[pair] == nil {
        merges[pair] = Merge(rank: merges.count, symbol: intern(left + right))
      }
    }
    self.vocabulary = vocabulary
    self.limit = limit
  }

  /// The token id that a member of a JSON object gives.
  static func tokenID(
    _ member: JSONValue.Member, _ file: JSONObject
  ) throws(FormatError) -> Int32 {
    guard let id = member.value.int, (0..<1 << 30).contains(id) else {
      throw file.error(member.key, "expected a token id, found \(member.value)")
    }
    return Int32(id)
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The ids of one word.
  func encode(_ word: String) -> [Int32] {
    var symbols = word.utf8.map { bytes[Int($0)] }
    guard let last = word.utf8.last else { return [] }
    symbols[symbols.count - 1] = bytes[256 + Int(last)]
    // A linked list over the places of the first bytes; a merged-away place holds -1.
    let count = symbols.count
    var next = Array(1...count)
    var previous = Array(-1..<count - 1)
    var queue = MergeQueue()
    func merge(at place: Int) -> Merge? {
      guard symbols[place] >= 0, next[place] < count else { return nil }
      return merges[Self.key(symbols[place], symbols[next[place]])]
    }
    func enqueue(_ place: Int) {
      if let found = merge(at: place) { queue.push(rank: found.rank, place: place) }
    }
    for place in 0..<count { enqueue(place) }
    while let (rank, place) = queue.pop() {
      // Entries of pairs that have changed since are stale.
      guard let found = merge(at: place), found.rank == rank else { continue }
      let gone = next[place]
      symbols[place] = found.symbol
      symbols[gone] = -1
      next[place] = next[gone]
      if next[gone] < count { previous[next[gone]] = place }
      enqueue(place)
      if previous[place] >= 0 { enqueue(previous[place]) }
    }
    return symbols.filter { $0 >= 0 }.map { $0 < limit ? $0 : unknown }
  }

  /// The text of a symbol, with a space for the end of a word; bytes that are no character become �.
  func decoded(_ symbol: String) -> String {
    let end = TokenizerVocabulary.wordEnd
    let isEnd = symbol.hasSuffix(end)
    let body = isEnd ? String(symbol.dropLast(end.count)) : symbol
    var bytes: [String: UInt8] = [:]
    for (byte, name) in Self.byteNames().enumerated() { bytes[name] = UInt8(byte) }
    let content = body.unicodeScalars.compactMap { bytes[String(Character($0))] }
    return String(decoding: content, as: UTF8.self) + (isEnd ? " " : "")
  }

  /// Printable stand-ins for the 256 bytes: printable Latin-1 for itself, others from U+0100 on.
  private static func byteNames() -> [String] {
    var next: UInt32 = 256
    return (0..<256).map { byte in
      var code = UInt32(byte)
      if !(33...126 ~= byte || 161...172 ~= byte || 174...255 ~= byte) {
        code = next
        next += 1
      }
      return Unicode.Scalar(code).map { String(Character($0)) } ?? ""
    }
  }
}

/// A binary heap of possible merges: the lowest rank first, then the leftmost place.
private struct MergeQueue {
  private var heap: [UInt64] = []

  mutating func push(rank: Int, place: Int) {
    heap.append(UInt64(rank) << 32 | UInt64(place))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> (rank: Int, place: Int)? {
    guard let top = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2]
        where child < heap.count && heap[child] < heap[least] {
          least = child
        }
        if least == parent { break }
        heap.swapAt(parent, least)
        parent = least
      }
    }
    return (Int(top >> 32), Int(top & 0xffff_ffff))
  }
}
