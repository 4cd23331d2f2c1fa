import MoscIR
import MoscLLVM

/// Packs q8 weights in two passes over a task's columns: the largest magnitude of each tap, then the
/// integers with their sums.
struct QuantisedPackEmitter {
  private let e: FunctionEmitter
  private let spec: PackSpec
  private let chunks: PackEmitter
  /// Per tap a vector of columns: magnitudes, then the factors to integers.
  private let factors: LLVMValue

  init(
    _ e: FunctionEmitter, _ spec: PackSpec, task: LLVMValue, source: LLVMValue, panels: LLVMValue
  ) {
    self.e = e
    self.spec = spec
    chunks = PackEmitter(e, spec, task: task, source: source, panels: panels)
    factors = e.stackSlot(bytes: spec.packedTaps * e.lanes * 4)
  }

  func write() {
    eachTap { tap in e.storeRaw(e.float(0, lanes: e.lanes), factor(tap), align: e.lanes * 4) }
    eachChunk { channel in
      chunks.gather(channel)
      eachTap(growMagnitude)
    }
    eachTap(writeScale)
    eachChunk { channel in
      chunks.gather(channel)
      eachTap { tap in writeIntegers(tap, channel) }
    }
    eachTap(writeCorrection)
  }

  private func eachTap(_ body: (LLVMValue) -> Void) {
    e.loop(from: 0, to: spec.packedTaps) { tap, _ in
      body(tap)
      return []
    }
  }

  private func eachChunk(_ body: (LLVMValue) -> Void) {
    e.loop(from: 0, to: spec.channels, step: chunks.chunk) { index, _ in
      body(e.min(index, spec.channels - chunks.chunk))
      return []
    }
  }

  private func factor(_ tap: LLVMValue) -> LLVMValue {
    e.offset(factors, bytes: e.mul(tap, e.lanes * 4))
  }

  private func load(_ address: LLVMValue) -> LLVMValue {
    e.load(.f32, address, lanes: e.lanes, align: e.lanes * 4)
  }

  private func growMagnitude(_ tap: LLVMValue) {
    let top = e.loop(from: 0, to: chunks.chunk, carrying: [load(factor(tap))]) { channel, top in
      [e.fmax(top[0], e.fabs(chunks.row(tap, channel)))]
    }
    e.storeRaw(top[0], factor(tap), align: e.lanes * 4)
  }

  private func scaleAddress(_ tap: LLVMValue) -> LLVMValue {
    e.offset(chunks.target.scales, bytes: e.mul(e.mul(tap, 2), chunks.target.stepBytes))
  }

  private func writeScale(_ tap: LLVMValue) {
    let (factor, scale) = QuantisedRowCode(e).factors(load(factor(tap)))
    e.storeRaw(scale, scaleAddress(tap), align: e.lanes * 4)
    e.storeRaw(factor, self.factor(tap), align: e.lanes * 4)
  }

  private func writeIntegers(_ tap: LLVMValue, _ channel: LLVMValue) {
    let factor = load(factor(tap))
    e.loop(from: 0, to: chunks.chunk, step: 4) { local, _ in
      let depth = e.add(e.mul(tap, spec.channels), e.add(channel, local))
      chunks.target.store(e, spec, depth: depth) {
        e.fmul(chunks.row(tap, e.add(local, $0)), factor)
      }
      return []
    }
  }

  /// What the zero point of activations adds to the sums of a tap.
  private func writeCorrection(_ tap: LLVMValue) {
    let steps = spec.channels / 4
    let first = e.offset(
      chunks.target.destination, bytes: e.mul(e.mul(tap, steps), chunks.target.stepBytes))
    let quads = ByteQuads(e, lanes: e.lanes)
    let type = e.intType(e.lanes)
    let sum = e.loop(from: 0, to: steps, carrying: [e.int(0, type: type)]) { step, sum in
      let address = e.offset(first, bytes: e.mul(step, chunks.target.stepBytes))
      let word = e.builder.load(type, address, align: e.lanes * 4)
      let zeroPoint = UInt32(QuantisedRow.zeroPoint)
      let zeroPoints = e.int(Int(Int32(bitPattern: zeroPoint &* 0x0101_0101)), type: type)
      return [quads.dot(zeroPoints, word, sum[0])]
    }
    let scale = scaleAddress(tap)
    let correction = e.fmul(e.toF32(sum[0], from: .i32), load(scale))
    e.storeRaw(correction, e.offset(scale, bytes: chunks.target.stepBytes), align: e.lanes * 4)
  }
}
