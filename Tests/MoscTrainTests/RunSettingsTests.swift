import MoscFormats
import MoscSample
import Testing

/// What a saved state must agree with.
@Suite struct RunSettingsTests {
  private func settings(
    rank: [Int] = [4, 4], rate: Double = 1e-5, threshold: Double = .infinity, ema: Double? = nil,
    pictures: [String] = ["0.png of 90 bytes: a dog", "1.png of 80 bytes: a dog"]
  ) -> RunSettings {
    RunSettings([
      ("--rank", .array(rank.map { .int($0) })), ("--lr", .double(rate)),
      ("--embedding-norm", .double(threshold)), ("--ema", ema.map { .double($0) } ?? .null),
      ("--data", .array(pictures.map { .string($0) })),
    ])
  }

  private func differences(_ stored: RunSettings, _ own: RunSettings) throws -> [String] {
    try own.differences(from: stored.text, path: "state")
  }

  @Test func equalSettingsAgree() throws {
    for rate in [1e-5, 0.1 + 0.2, 1e16, 3, .nan] {
      #expect(try differences(settings(rate: rate), settings(rate: rate)).isEmpty, "\(rate)")
    }
  }

  @Test func differencesAreNamed() throws {
    #expect(
      try differences(settings(), settings(rank: [4, 8])) == ["--rank 4, this run has 8"])
    let next = 1e-5.nextUp
    #expect(
      try differences(settings(), settings(rate: next)) == ["--lr 1e-05, this run has \(next)"])
    #expect(
      try differences(settings(threshold: 0.5), settings(ema: 0.9)) == [
        "--embedding-norm 0.5, this run has Infinity", "--ema nothing, this run has 0.9",
      ])
  }

  @Test func picturesAreComparedOneByOne() throws {
    let stored = settings()
    #expect(
      try differences(
        stored, settings(pictures: ["0.png of 90 bytes: a dog", "1.png of 81 bytes: a dog"]))
        == ["--data 1.png of 80 bytes: a dog, this run has 1.png of 81 bytes: a dog"])
    #expect(
      try differences(stored, settings(pictures: ["0.png of 90 bytes: a dog"]))
        == ["--data 1.png of 80 bytes: a dog, this run has nothing"])
  }

  /// A setting that only one of both versions of the program knows is a difference, too.
  @Test func unknownSettingsAreNamed() throws {
    let own = RunSettings([("--rank", .int(4))])
    #expect(
      try own.differences(from: #"{"--rank": 4, "--old": true}"#, path: "state")
        == ["--old true, this run has nothing"])
    #expect(try own.differences(from: "{}", path: "state") == ["--rank nothing, this run has 4"])
    #expect(throws: FormatError.self) { try own.differences(from: "{", path: "state") }
  }
}
