import Foundation
import MoscFormats
import Synchronization
import Testing

/// Tensors that are made when they are needed.
@Suite struct LazyTensorTests {
  private final class Counter: Sendable {
    let count = Atomic<Int>(0)
  }

  @Test func makesGivesBackAndMakesAgain() throws {
    let counter = Counter()
    let made = TensorStore("a file", [("scale", HostArray([Float(2)], shape: [1]))])
    let store = try LazyTensors(
      made,
      [
        LazyTensors.Entry(name: "first", shape: [3, 500]) {
          counter.count.add(1, ordering: .relaxed)
          return (0..<1500).map { Float($0) }
        },
        LazyTensors.Entry(name: "second", shape: [2]) { [5, 6] },
      ])
    #expect(store.names == ["scale", "first", "second"] && store.place == "a file")
    let place = try #require(store.reserved("first"))
    #expect(place.shape == [3, 500] && counter.count.load(ordering: .relaxed) == 0)
    let tensor = try #require(store.weight("first"))
    #expect(tensor.bytes.baseAddress == place.bytes.baseAddress)
    for _ in 0..<3 { store.prepare("first") }
    #expect(counter.count.load(ordering: .relaxed) == 1)
    #expect(ElementType.floats(place.bytes, .f32) == (0..<1500).map { Float($0) })
    store.dropPages(of: "first")
    #expect(ElementType.floats(place.bytes, .f32).allSatisfy { $0 == 0 })
    _ = store.weight("first")
    #expect(counter.count.load(ordering: .relaxed) == 2)
    #expect(ElementType.floats(place.bytes, .f32)[1499] == 1499)
    #expect(store.weight("second").map { ElementType.floats($0.bytes, .f32) } == [5, 6])
    #expect(store.weight("scale").map { ElementType.floats($0.bytes, .f32) } == [2])
    #expect(store.weight("third") == nil && store.reserved("third") == nil)
  }

  /// What cannot be made is no number.
  @Test func failuresAreSeen() throws {
    let store = try LazyTensors(
      TensorStore("a file", []),
      [
        LazyTensors.Entry(name: "broken", shape: [2]) { throw FormatError("a", nil, "b") },
        LazyTensors.Entry(name: "short", shape: [4]) { [1] },
      ])
    for name in ["broken", "short"] {
      let values = store.weight(name).map { ElementType.floats($0.bytes, .f32) } ?? []
      #expect(!values.isEmpty && values.allSatisfy(\.isNaN))
    }
  }
}
