import MoscEngine
import Testing

@Suite struct TensorValueTests {
  @Test func changesLayout() {
    let image = TensorValue([1, 2, 2, 3], (0..<12).map(Float.init))
    let last = image.channelsLast
    #expect(last.shape == [1, 2, 3, 2])
    #expect(last.floats == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
    #expect(last.channelsFirst == image)
  }

  @Test func splitsAndStacksSamples() {
    let a = TensorValue([2, 2], [1, 2, 3, 4] as [Float])
    #expect(a.samples(1..<2).floats == [3, 4])
    #expect(TensorValue.stacked([a, a.samples(0..<1)]).shape == [3, 2])
  }
}
