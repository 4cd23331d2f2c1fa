import Foundation
import MoscCodegen
import MoscIR

/// Rows and panels of 8-bit integers in memory, written here from the definition of the layouts.
enum QuantisedHarness {
  /// The numbers that are left of a tensor's.
  static func rounded(_ tensor: HostTensor) -> HostTensor {
    var result = tensor
    for places in groups(tensor.type) {
      for (place, x) in zip(places, QuantisedRow(places.map { tensor.elements[$0] }).numbers) {
        result.elements[place] = x
      }
    }
    return result
  }

  /// The elements that share a scale: a row, or the inputs of a channel and tap.
  private static func groups(_ type: TensorType) -> [[Int]] {
    if type.layout == .dense {
      let width = type.lastExtent
      return (0..<type.rows).map { row in (0..<width).map { row * width + $0 } }
    }
    let (channels, taps) = (type.shape[1], type.shape.dropFirst(2).reduce(1, *))
    return (0..<type.shape[0] * taps).map { group in
      (0..<channels).map { (group / taps * channels + $0) * taps + group % taps }
    }
  }

  /// Rows with their scales behind them, one byte off a cache line.
  static func rows(_ tensor: HostTensor) -> Memory {
    let memory = Memory(bytes: tensor.type.byteCount(), misalignment: 1)
    for (row, places) in groups(tensor.type).enumerated() {
      let numbers = QuantisedRow(places.map { tensor.elements[$0] })
      let start = memory.pointer + row * (places.count + 4)
      for (column, q) in numbers.integers.enumerated() {
        start.storeBytes(of: UInt8(q + 128), toByteOffset: column, as: UInt8.self)
      }
      start.storeBytes(of: numbers.scale, toByteOffset: places.count, as: Float.self)
    }
    return memory
  }

  /// Where a panel begins and how many columns it has, padding included.
  private static func panel(
    of column: Int, _ type: TensorType, _ width: Int, lanes: Int
  ) -> (start: Int, columns: Int) {
    let taps = type.shape.dropFirst(2).reduce(1, *)
    let first = column / width * width
    let rest = (type.shape[0] - first + lanes - 1) / lanes * lanes
    return (first * taps * (type.shape[1] + 8), min(width, rest))
  }

  static func panels(_ tensor: HostTensor, _ width: Int, lanes: Int) -> Memory {
    let type = tensor.type
    let (channels, taps) = (type.shape[1], type.shape.dropFirst(2).reduce(1, *))
    let memory = Memory(bytes: type.byteCount(lanes: lanes))
    memory.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: memory.byteCount)
    for (group, places) in groups(type).enumerated() {
      let (column, tap) = group.quotientAndRemainder(dividingBy: taps)
      let (start, columns) = panel(of: column, type, width, lanes: lanes)
      let numbers = QuantisedRow(places.map { tensor.elements[$0] })
      let sum = numbers.integers.reduce(0, +)
      let head = start + tap * columns * 8 + column % width * 4
      memory.pointer.storeBytes(of: numbers.scale, toByteOffset: head, as: Float.self)
      memory.pointer.storeBytes(
        of: numbers.scale * Float(128 * sum), toByteOffset: head + columns * 4, as: Float.self)
      for (channel, q) in numbers.integers.enumerated() {
        let depth = tap * channels + channel
        memory.pointer.storeBytes(
          of: Int8(q),
          toByteOffset: start + taps * columns * 8 + depth / 4 * columns * 4 + column % width * 4
            + depth % 4, as: Int8.self)
      }
    }
    return memory
  }

  static func tensor(_ memory: Memory, _ type: TensorType, lanes: Int) -> HostTensor {
    var result = HostTensor(type, repeating: 0)
    let taps = type.shape.dropFirst(2).reduce(1, *)
    for (group, places) in groups(type).enumerated() {
      guard case .panel(let width) = type.layout else {
        let start = memory.pointer + group * (places.count + 4)
        let scale = (start + places.count).loadUnaligned(as: Float.self)
        for (column, place) in places.enumerated() {
          let q = Int(start.load(fromByteOffset: column, as: UInt8.self)) - 128
          result.elements[place] = Double(q) * Double(scale)
        }
        continue
      }
      let (column, tap) = group.quotientAndRemainder(dividingBy: taps)
      let (start, columns) = panel(of: column, type, width, lanes: lanes)
      let head = start + tap * columns * 8 + column % width * 4
      let scale = memory.pointer.load(fromByteOffset: head, as: Float.self)
      let correction = memory.pointer.load(fromByteOffset: head + columns * 4, as: Float.self)
      var sum = 0
      for (channel, place) in places.enumerated() {
        let depth = tap * type.shape[1] + channel
        let q = Int(
          memory.pointer.load(
            fromByteOffset: start + taps * columns * 8 + depth / 4 * columns * 4
              + column % width * 4 + depth % 4, as: Int8.self))
        sum += q
        result.elements[place] = Double(q) * Double(scale)
      }
      // A wrong correction spoils the numbers, so that comparing them shows it.
      if correction != Float(128 * sum) * scale { result.elements[places[0]] = .nan }
    }
    return result
  }
}
