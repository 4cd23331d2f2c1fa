import Foundation
import MoscImages
import RunSupport
import TestSupport
import Testing

/// The program under real launchers: the same bytes for any number of processes, and one message for what goes wrong.
@Suite(.serialized) struct LauncherTests {
  private let scratch = Scratch()

  private var common: [String] {
    ["-m", GoldenFile.model, "--type", "f32", "-t", "1", "--cache-dir", scratch.path("cache")]
  }

  private func sample(_ folder: String, steps: Int = 2) -> [String] {
    ["sample", "-p", "a fox", "-p", "a robot", "-s", "1-3", "-W", "64", "-H", "64", "--steps", "\(steps)"] + common
      + ["-o", scratch.path(folder) + "/"]
  }

  private func files(_ folder: String) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path(folder))
    return try Dictionary(uniqueKeysWithValues: names.map { ($0, try bytes("\(folder)/\($0)")) })
  }

  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: scratch.path(name)))
  }

  /// The lines that say what is wrong.
  private func errors(_ text: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
  }

  // MARK: The same bytes

  @Test(.enabled(if: !MPILauncher.present.isEmpty, "\(MPILauncher.absence)"))
  func picturesHaveTheSameBytes() throws {
    let alone = try MoscProgram.run(sample("alone"))
    #expect(alone.status == 0, "\(alone.errors)")
    let expected = try files("alone")
    #expect(expected.count == 6)
    for (launcher, size) in MPILauncher.present.flatMap({ [($0, 2), ($0, 4)] }) {
      let folder = "\(launcher)-\(size)"
      let outcome = try launcher.run(size, sample(folder))
      #expect(outcome.status == 0, "\(launcher), \(size): \(outcome.errors)")
      #expect(outcome.errors.contains("\(size) processes by "), "\(outcome.errors)")
      #expect(try files(folder) == expected, "\(launcher), \(size) processes")
      #expect(outcome.output.split(separator: "\n").count == 6)
    }
  }

  private func train(_ name: String, steps: Int = 4) throws -> [String] {
    for index in 0..<2 {
      let pixels = (0..<32 * 32 * 3).map { UInt8(truncatingIfNeeded: $0 * (7 + index) / 3) }
      try scratch.write("data/images/\(index).png", try PNG.encode(PixelImage(width: 32, height: 32, pixels: pixels)))
      try scratch.write("data/captions/\(index).txt", "a <TOK>, on grass")
    }
    return [
      "train", "--data", scratch.path("data/images"), "--captions", scratch.path("data/captions"), "--concept", "<d1> <d2>",
      "--init", "dog", "--resolution", "32", "--rank", "1", "--steps", "\(steps)", "--gradient-accumulation", "3",
      "--batch-size", "1", "--seed", "3", "--save-every", "1", "-o", scratch.path(name),
    ] + common
  }

  /// A rank is killed at a step; the state can be loaded, and another number of processes ends with the same bytes.
  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func aKilledRunGoesOnWithAnotherNumber() throws {
    // A file's name stands in it, so both have one.
    try FileManager.default.createDirectory(atPath: scratch.path("alone"), withIntermediateDirectories: true)
    let alone = try MoscProgram.run(train("alone/run.safetensors", steps: 16))
    #expect(alone.status == 0, "\(alone.errors)")
    let job = try RunningJob(.openMPI, 2, train("run.safetensors", steps: 16))
    job.folderOfOutput = scratch.path("run.safetensors")
    #expect(job.waits(for: "step 3/16"), "\(job.messages)")
    let rank = try #require(job.process(ofRank: 1))
    kill(rank, SIGKILL)
    #expect(job.end() != 0)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("run.safetensors")), "it was faster than the signal")
    let other = MPILauncher.present.last ?? .openMPI
    let rest = try other.run(3, try train("run.safetensors", steps: 16) + ["--resume"])
    #expect(rest.status == 0, "\(rest.errors)")
    #expect(rest.errors.contains("going on after step"), "\(rest.errors)")
    for name in ["safetensors", "state.safetensors"] {
      #expect(try bytes("run.\(name)") == bytes("alone/run.\(name)"), "\(name)")
    }
  }

  // MARK: What goes wrong

  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func oneProcessSaysWhatIsWrong() throws {
    let launcher = MPILauncher.openMPI
    for (arguments, status, words) in [
      (["sample", "-p", "x", "--stepz", "4"], 2, "unknown option '--stepz'"),
      (["sample", "-p", "x", "--steps", "0"], 2, "--steps 0"),
      (["sample", "-p", "x", "-m", scratch.path("none")], 1, "none"),
      (["train", "--data", scratch.path("none"), "--concept", "<a>", "-o", scratch.path("x.safetensors")], 1, "none"),
      (["fuse", scratch.path("none.safetensors"), "-o", scratch.path("x.safetensors")], 1, "there is no such file"),
    ] as [([String], Int32, String)] {
      let outcome = try launcher.run(3, arguments)
      let found = errors(outcome.errors)
      #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
      #expect(found.count == 1 && found.allSatisfy { $0.contains(words) }, "\(arguments): \(outcome.errors)")
      #expect(!outcome.errors.contains("MPI_ABORT"), "\(outcome.errors)")
    }
  }

  @Test(.enabled(if: MPILauncher.openMPI.isThere && MPILauncher.mpich.isThere, "\(MPILauncher.absence)"))
  func launcherAndLibraryMustBelongTogether() throws {
    let wrong = try MPILauncher.mpich.run(2, sample("wrong"), environment: ["MOSC_MPI_LIBRARY": "libmpi.so.40"])
    #expect(errors(wrong.errors).count == 1 && wrong.errors.contains("do not belong together"), "\(wrong.errors)")
    #expect(wrong.errors.contains("mpirun --bind-to none -n 2 mosc"))
    #expect(wrong.status == 2)
    #expect(!FileManager.default.fileExists(atPath: scratch.path("wrong")))
  }

  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func aLibraryThatIsNoneIsNamedOnce() throws {
    for library in ["libm.so.6", scratch.path("none.so")] {
      let outcome = try MPILauncher.openMPI.run(2, sample("x"), environment: ["MOSC_MPI_LIBRARY": library])
      let found = errors(outcome.errors)
      #expect(found.count == 1 && found.allSatisfy { $0.contains(library) }, "\(outcome.errors)")
      #expect(outcome.status == 1)
    }
  }

  /// Processes of different processors, as of different machines, and of different command lines.
  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func whatDiffersIsRefused() throws {
    let program = MoscProgram.url.path
    func pair(_ first: [String], _ second: [String]) throws -> MoscProgram.Outcome {
      let start = MPILauncher.openMPI.start(1)
      return try MoscProgram.run(
        MPILauncher.openMPI.rawValue, start + [program] + first + [":", "-n", "1", program] + second)
    }
    let own = try train("run.safetensors")
    let mixed = try pair(own, own + ["--mcpu", "x86-64-v2"])
    #expect(mixed.status == 1)
    #expect(errors(mixed.errors).count == 1, "\(mixed.errors)")
    #expect(mixed.errors.contains("the processes do not agree: rank 1 on ") && mixed.errors.contains("processor"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path("run.safetensors")))
    let options = try pair(sample("x"), sample("x", steps: 3))
    #expect(errors(options.errors).count == 1 && options.errors.contains("different options"), "\(options.errors)")
    #expect(options.status == 2)
  }

  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func aRankThatStallsIsNamed() throws {
    let job = try RunningJob(.openMPI, 2, try train("run.safetensors", steps: 1600) + ["--mpi-timeout", "0.05"])
    job.folderOfOutput = scratch.path("run.safetensors")
    #expect(job.waits(for: "step 3/1600"), "\(job.messages)")
    let rank = try #require(job.process(ofRank: 1))
    kill(rank, SIGSTOP)
    let isNamed = job.waits(for: "for rank 1")
    kill(rank, SIGCONT)
    let status = job.end()
    #expect(isNamed && status == 1, "\(status) \(job.messages)")
    let found = errors(job.messages)
    #expect(found.count == 1 && found.allSatisfy { $0.contains("given up, see --mpi-timeout") }, "\(job.messages)")
    #expect(FileManager.default.fileExists(atPath: scratch.path("run.state.safetensors")))
  }

  /// A process that waits leaves the processor to others.
  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func waitingCostsNothing() throws {
    let job = try RunningJob(
      .openMPI, 2,
      ["sample", "-p", "a fox", "-s", "1", "-W", "192", "-H", "192", "--sampler", "Euler", "--steps", "1000"] + common
        + ["-o", scratch.path("one.png")])
    job.folderOfOutput = scratch.path("one.png")
    #expect(job.waits(for: "one batch for 2 processes, so 1 of them idle"), "\(job.messages)")
    let rank = try #require(job.process(ofRank: 1))
    usleep(500_000)
    let before = try #require(RunningJob.processorSeconds(rank))
    let begin = ContinuousClock.now
    usleep(1_500_000)
    let after = try #require(RunningJob.processorSeconds(rank), "it was over too soon")
    let share = (after - before) / ((ContinuousClock.now - begin) / .seconds(1))
    #expect(share < 0.1, "\(share) of a core")
    kill(job.process(ofRank: 0) ?? 0, SIGTERM)
    #expect(job.end() == 130, "\(job.messages)")
  }

  /// Where nobody started several processes, nothing is said of MPI.
  @Test func aloneNothingIsSaid() throws {
    let outcome = try MoscProgram.run(
      ["sample", "-p", "a fox", "-s", "1", "-W", "64", "-H", "64", "--steps", "1"] + common + ["-o", scratch.path("a.png")],
      environment: ["MOSC_MPI_LIBRARY": scratch.path("none.so")])
    #expect(outcome.status == 0 && !outcome.errors.contains("MPI"), "\(outcome.errors)")
  }

  @Test(.enabled(if: MPILauncher.openMPI.isThere, "\(MPILauncher.absence)"))
  func doctorSaysHowToStart() throws {
    let alone = try MoscProgram.run("doctor", "--mpi")
    #expect(alone.output.contains("MPI library") && alone.output.contains("mosc train …"), "\(alone.output)")
    let two = try MPILauncher.openMPI.run(2, ["doctor", "--mpi"])
    #expect(two.output.contains("rank 0: ") && two.output.contains("rank 1: "), "\(two.output)")
    #expect(two.output.components(separatedBy: "MPI library").count == 2)
  }
}
