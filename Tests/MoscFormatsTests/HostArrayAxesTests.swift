import MoscFormats
import Testing

@Suite struct HostArrayAxesTests {
  @Test func changesLayout() {
    let image = HostArray((0..<12).map(Float.init), shape: [1, 2, 2, 3])
    let last = image.channelsLast
    #expect(last.shape == [1, 2, 3, 2])
    #expect(last.floats == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
    #expect(last.channelsFirst == image)
  }

  @Test func splitsAndStacksSamples() {
    let a = HostArray([1, 2, 3, 4] as [Float], shape: [2, 2])
    #expect(a.samples(1..<2).floats == [3, 4])
    #expect(HostArray.stacked([a, a.samples(0..<1)]).shape == [3, 2])
  }
}
