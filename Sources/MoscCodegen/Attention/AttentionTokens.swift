import MoscIR
import MoscLLVM

/// The tokens of one head of an operand.
struct AttentionTokens {
  let base: LLVMValue
  let place: AttentionOperand
  let count: Int

  init(_ base: LLVMValue, _ place: AttentionOperand, count: Int) {
    (self.base, self.place, self.count) = (base, place, count)
  }

  /// The tokens of head `h` of an image, in the buffer of all of them.
  init(
    _ e: FunctionEmitter, _ buffer: LLVMValue, _ place: AttentionOperand, count: Int,
    image: LLVMValue, head: LLVMValue
  ) {
    let index = e.add(
      e.add(e.mul(image, place.batchPitch), e.mul(head, place.headPitch)), place.offset)
    self.init(e.element(buffer, index, place.dtype), place, count: count)
  }

  /// The first element of a token, tokens past the end repeating the last one.
  func token(_ e: FunctionEmitter, _ index: LLVMValue) -> LLVMValue {
    e.element(base, e.mul(e.min(index, count - 1), place.tokenPitch), place.dtype)
  }
}

extension AttentionTiles {
  /// Covers `extent` in whole vectors: the last one ends at the end and may overlap; an extent
  /// below one vector is a single partial one. The body gets the start and the valid lanes.
  private func vectors(_ extent: Int, _ body: (LLVMValue, Int) -> Void) {
    let width = Swift.min(extent, lanes)
    e.loop(from: 0, to: extent, step: width) { start, _ in
      body(e.min(start, extent - width), width)
      return []
    }
  }

  /// Words of a token: pairs of bf16 as they are, or numbers converted to f32.
  private func words(
    _ token: LLVMValue, _ dtype: DType, _ start: LLVMValue, _ count: Int
  ) -> LLVMValue {
    if usesPairs {
      let bytes = e.offset(token, bytes: e.mul(start, 4))
      return e.fromBits(e.loadRaw(.i32, bytes, lanes: lanes, count: count, align: 2))
    }
    return e.load(dtype, e.element(token, start, dtype), lanes: lanes, count: count)
  }

  /// Puts `count` vectors of tokens side by side in the lanes: `[word][token]`.
  func transpose(
    _ tokens: AttentionTokens, from first: LLVMValue, vectors count: Int, words wordCount: Int,
    into scratch: LLVMValue
  ) {
    e.loop(from: 0, to: count) { vector, _ in
      let lane = e.mul(vector, lanes)
      vectors(wordCount) { word, valid in
        let rows = (0..<lanes).map { i in
          words(tokens.token(e, e.add(e.add(first, lane), i)), tokens.place.dtype, word, valid)
        }
        for (i, column) in e.transpose(rows).prefix(valid).enumerated() {
          let row = e.offset(scratch, bytes: e.mul(e.add(word, i), count * align))
          store(column, e.offset(row, bytes: e.mul(lane, 4)), 0)
        }
      }
      return []
    }
  }

  /// Copies tokens so that their words are adjacent: `[token][word]`, and a vector of slack.
  func copy(
    _ tokens: AttentionTokens, from first: LLVMValue, rows: LLVMValue, words wordCount: Int,
    into scratch: LLVMValue
  ) {
    e.loop(from: e.int(0), to: rows) { row, _ in
      let source = tokens.token(e, e.add(first, row))
      let target = e.offset(scratch, bytes: e.mul(row, wordCount * 4))
      vectors(wordCount) { word, valid in
        e.store(
          words(source, tokens.place.dtype, word, valid), as: .f32,
          e.offset(target, bytes: e.mul(word, 4)))
      }
      return []
    }
  }

  /// Copies tokens so that a word holds what they have in one channel: `[token or pair][channel]`,
  /// rows `pitch` words apart, and a vector of slack.
  func copyByChannel(
    _ tokens: AttentionTokens, from first: LLVMValue, rows: LLVMValue, depth: Int, pitch: Int,
    into scratch: LLVMValue
  ) {
    e.loop(from: e.int(0), to: rows) { row, _ in
      let index = e.add(first, e.mul(row, wordElements))
      let target = e.offset(scratch, bytes: e.mul(row, pitch * 4))
      vectors(depth) { channel, valid in
        func raw(_ i: Int) -> LLVMValue {
          let source = e.element(tokens.token(e, e.add(index, i)), channel, .bf16)
          let bits = e.loadRaw(.bf16, source, lanes: lanes, count: valid)
          return e.builder.cast(.zext, bits, e.intType(lanes))
        }
        let value =
          usesPairs
          ? e.fromBits(e.builder.binary(.or, raw(0), e.shl(raw(1), 16)))
          : words(tokens.token(e, index), tokens.place.dtype, channel, valid)
        e.store(value, as: .f32, e.offset(target, bytes: e.mul(channel, 4)))
      }
      return []
    }
  }

  /// Writes sums `[channel][token]` token by token, times the factors of each vector of tokens,
  /// which are asked for by the bytes before it. Tokens past the end come first, so that the last
  /// token overwrites them.
  func write(
    _ sums: LLVMValue, vectors count: Int, depth: Int, to tokens: AttentionTokens,
    from first: LLVMValue, times factors: (LLVMValue) -> LLVMValue
  ) {
    e.loop(from: 0, to: count) { index, _ in
      let lane = e.mul(e.sub(e.int(count - 1), index), lanes)
      let laneBytes = e.mul(lane, 4)
      let factor = factors(laneBytes)
      vectors(depth) { channel, valid in
        let columns = (0..<lanes).map { i in
          guard i < valid else { return e.float(0, lanes: lanes) }
          let row = e.offset(sums, bytes: e.mul(e.add(channel, i), count * align))
          return e.fmul(load(e.offset(row, bytes: laneBytes), 0), factor)
        }
        for (i, value) in e.transpose(columns).enumerated().reversed() {
          let target = tokens.token(e, e.add(e.add(first, lane), i))
          e.store(
            value, as: tokens.place.dtype, e.element(target, channel, tokens.place.dtype),
            count: valid)
        }
      }
      return []
    }
  }
}
