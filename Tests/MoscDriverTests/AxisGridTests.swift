import Foundation
import MoscDriver
import MoscImages
import MoscReport
import MoscSample
import TestSupport
import Testing

/// Sheets whose pictures differ in options.
@Suite struct AxisGridTests {
  private let scratch = Scratch()

  @Test(arguments: [
    ("4,8", ["4", "8"]), (" 4 , 8 ", ["4", "8"]), ("1-5", ["1", "2", "3", "4", "5"]), ("1-10(+3)", ["1", "4", "7", "10"]),
    ("10-1 (-4)", ["10", "6", "2"]), ("3-1", ["3", "2", "1"]), ("0-1[5]", ["0", "0", "0", "0", "1"]),
    ("0.0-1.0[5]", ["0", "0.25", "0.5", "0.75", "1"]), ("0.1-0.3(+0.1)", ["0.1", "0.2", "0.3"]),
    ("-1-1", ["-1", "0", "1"]), ("1,4-6", ["1", "4", "5", "6"]), ("\"1-3\",b", ["1-3", "b"]),
    ("\"14.6,2,0\",\"9,1,0\"", ["14.6,2,0", "9,1,0"]), ("512x768", ["512x768"]), ("dpm++2m, Euler a", ["dpm++2m", "Euler a"]),
  ])
  func lists(text: String, values: [String]) throws {
    let read = try AxisValues(text, place: "--x steps")
    #expect(read.values == values && !read.replacesFirst)
  }

  @Test func replacements() throws {
    let read = try AxisValues("cat | a dog, asleep|\"x|y\"", place: "--x prompt")
    #expect(read.values == ["cat", "a dog, asleep", "x|y"] && read.replacesFirst)
  }

  private func fault(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing"
    } catch { return "\(error)" }
  }

  @Test func badValues() {
    func message(_ text: String) -> String { fault { _ = try AxisValues(text, place: "--x steps") } }
    #expect(message("").contains("expected values"))
    #expect(message("4,,8").contains("expected values"))
    #expect(message("\"4").contains("a quote has no end"))
    #expect(message("1-5(-1)").contains("has no end"))
    #expect(message("1-5(+0)").contains("has no end"))
    #expect(message("1-100000").contains("more than 1000"))
  }

  private let options = [
    CommandOption(names: ["--steps"], takesValue: true), CommandOption(names: ["-p", "--prompt"], takesValue: true),
    CommandOption(names: ["--zero-terminal-snr", "--zsnr"], takesValue: false),
    CommandOption(names: ["-W", "--width"], takesValue: true), CommandOption(names: ["--region"], takesValue: true),
  ]

  @Test func arguments() throws {
    func line(_ axis: String, _ index: Int, _ line: [String]) throws -> [String] {
      try GridAxis("x", axis, options: options).arguments(line, at: index)
    }
    #expect(try line("Steps=4,8", 1, ["-p", "a"]) == ["-p", "a", "--steps=8"])
    #expect(try line("W=64,96", 0, []) == ["-W", "64"])
    #expect(try line("zsnr=off,on", 1, ["-p", "a"]) == ["-p", "a", "--zsnr"])
    #expect(try line("zero_terminal_snr=off,on", 0, ["--zsnr", "-p", "a"]) == ["-p", "a"])
    #expect(try line("prompt=cat|dog", 1, ["-p", "a cat", "--prompt=cats", "--region", "cat"]) == ["-p", "a dog", "--prompt=dogs", "--region", "cat"])
    #expect(try line("region=weight=1|weight=0.5", 1, ["--region", "box=0,0,1,1; weight=1"]) == ["--region", "box=0,0,1,1; weight=0.5"])
    #expect(try GridAxis("x", "steps=4,8", options: options).title(1) == "steps: 8")
    #expect(try GridAxis("x", "prompt=cat|dog", options: options).title(1) == "dog")
    #expect(fault { _ = try line("prompt=cow|dog", 1, ["-p", "a cat"]) }.contains("there is no 'cow' in --prompt"))
    #expect(fault { _ = try line("stps=1", 0, []) }.contains("did you mean 'steps'?"))
    #expect(fault { _ = try line("zsnr=1", 0, []) }.contains("is on or off"))
    #expect(fault { _ = try line("steps", 0, []) }.contains("expected OPTION=VALUES"))
  }

  /// The whole command: a sheet in its order, each picture as `mosc sample` draws it, and what the sheet says.
  @Test func draws() throws {
    let common = ["-p", "a fox, on grass", "-W", "64", "-H", "64", "--type", "f32", "--no-cache", "-s", "3"]
    let sheet = scratch.path("sheet.png")
    let run = try MoscProgram.run(
      ["grid", "--x", "steps=1,2", "--y", "cfg-scale=1-7(+6)", "--z", "prompt=fox|robot", "-o", sheet, "--pictures",
        scratch.path("all")] + common)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output == sheet + "\n")
    let (image, texts) = try PNG.read(URL(fileURLWithPath: sheet))
    #expect(image.width > 128 && image.height > 256)
    let parameters = try #require(texts.first { $0.keyword == "parameters" }?.text)
    for part in ["Script: X/Y/Z plot", "X Type: steps", "X Values: \"1, 2\"", "Y Type: cfg-scale", "Z Values: \"fox, robot\""] {
      #expect(parameters.contains(part), "\(parameters)")
    }
    // The last but one: x = 1 step, y = 7, z = robot.
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("all")).sorted()
    #expect(names == (0..<8).map { "0000\($0)-3.png" })
    let alone = try MoscProgram.run(
      ["sample"] + common + ["--steps", "1", "--cfg-scale", "7", "-p", "a robot, on grass", "-o", scratch.path("alone_%d.png")])
    #expect(alone.status == 0)
    let expected = try PNG.read(URL(fileURLWithPath: scratch.path("alone_2.png"))).image
    let cell = try PNG.read(URL(fileURLWithPath: scratch.path("all/00006-3.png"))).image
    #expect(cell == expected)
    #expect(contains(image, cell))
  }

  /// Whether a sheet holds a picture somewhere.
  private func contains(_ sheet: PixelImage, _ picture: PixelImage) -> Bool {
    let row = picture.width * 3
    for top in 0...sheet.height - picture.height {
      for left in 0...sheet.width - picture.width {
        let isHere = (0..<picture.height).allSatisfy { y in
          let (a, b) = (((top + y) * sheet.width + left) * 3, y * row)
          return sheet.pixels[a..<a + row].elementsEqual(picture.pixels[b..<b + row])
        }
        if isHere { return true }
      }
    }
    return false
  }

  @Test func badCommands() throws {
    func errors(_ arguments: [String]) throws -> String {
      let run = try MoscProgram.run(["grid"] + arguments)
      #expect(run.status == 2, "\(arguments)")
      return run.errors
    }
    #expect(try errors(["--x", "stepps=1,2", "-p", "a"]).contains("did you mean 'steps'?"))
    #expect(try errors(["--x", "steps=1,2", "-p", "a", "--stpes", "3"]).contains("unknown option '--stpes'"))
    #expect(try errors(["--x", "steps=1,two", "-p", "a"]).contains("two"))
    #expect(try errors(["--x", "steps=1,2", "-p", "a", "-s", "1-4"]).contains("is for one picture"))
    #expect(try errors(["--x", "steps=1-1000", "--y", "seed=1-1000", "-p", "a"]).contains("expected at most 4096"))
    #expect(try errors(["--x", "steps=1,2", "--row", "a=b.png", "-p", "a"]).contains("--row and --column"))
    #expect(try errors(["--row", "a=b.png", "--stpes", "3"]).contains("unknown option '--stpes'"))
    #expect(try errors(["--x", "width=8192,8184", "--y", "steps=1-3", "-H", "8192", "-p", "a"]).contains("expected at most 67108864"))
  }
}
