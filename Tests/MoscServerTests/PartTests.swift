import Foundation
import MoscDiffusion
import MoscFormats
import MoscReport
import MoscSample
import MoscServer
import TestSupport
import Testing

/// Parts that need no server.
@Suite struct PartTests {
  // MARK: multipart/form-data

  private func form(_ text: String, _ type: String = "multipart/form-data; boundary=\"x y\"") throws -> Multipart {
    try Multipart(Data(text.utf8), contentType: type)
  }

  @Test func formsAreRead() throws {
    let form = try form(
      "ignored\r\n--x y\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na\r\nb\r\n--x y  \r\ncontent-type: application/octet-stream\r\n"
        + "content-disposition: form-data; name=image; filename=\"upload\"\r\n\r\n--x\r\n--x y--\r\n")
    #expect(form.parts.map(\.name) == ["prompt", "image"])
    #expect(form["prompt"]?.text == "a\r\nb")
    #expect(form["image"]?.text == "--x")
    #expect(form["image"]?.fileName == "upload")
    #expect(form["mask"] == nil)
  }

  @Test(arguments: [
    "", "--x y", "--x y\r\n", "--x y\r\n\r\n--x y--", "--x y\r\nname: z\r\n\r\na\r\n--x y--",
    "--x y\r\nContent-Disposition: form-data\r\n\r\na\r\n--x y--", "--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
  ])
  func otherFormsAreRefused(_ text: String) { #expect(throws: (any Error).self) { try form(text) } }

  @Test func formsHaveLimits() throws {
    let part = "--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n"
    #expect(try form(String(repeating: part, count: Multipart.mostParts) + "--x y--").parts.count == Multipart.mostParts)
    #expect(throws: (any Error).self) { try form(String(repeating: part, count: Multipart.mostParts + 1) + "--x y--") }
    #expect(throws: (any Error).self) { try form("--b--", "multipart/form-data") }
  }

  // MARK: What is shown

  @Test(arguments: [
    ("'/home/ann/models/x.safetensors': key \"a\": no", "'x.safetensors': key \"a\": no"),
    ("cannot write outputs/concepts/cat.safetensors now", "cannot write cat.safetensors now"),
    ("'./a/b.png' and ../c/d", "'b.png' and d"), ("steps 1/2, and/or", "steps 1/2, and/or"),
    ("data:image/png;base64,AA/BB==", "data:image/png;base64,AA/BB=="), ("the folder '/tmp' is full", "the folder 'tmp' is full"),
  ])
  func pathsAreCutToNames(_ text: String, _ expected: String) { #expect(PlainPaths.clean(text) == expected) }

  @Test func huesFollowTheBits() {
    #expect((0..<6).map(RegionMasks.hue) == [0, 0.5, 0.25, 0.75, 0.125, 0.625])
  }

  // MARK: Command lines

  @Test func wordsAreQuotedForTheShell() {
    #expect(SampleCommandLine.quoted("64x64") == "64x64")
    #expect(SampleCommandLine.quoted("a fox's $HOME") == "'a fox'\\''s $HOME'")
    #expect(SampleCommandLine.quoted("") == "''")
  }

  @Test func requestsBecomeCommandLines() {
    var request = SampleRequest()
    (request.prompt, request.seeds, request.width, request.height) = ("a fox", [7], 64, 96)
    (request.guidance, request.steps) = (4, 3)
    request.regions.items = [
      .fields([("box", .array([.double(0), .double(0), .double(0.5), .int(1)])), ("prompt", .string("one; two"))])
    ]
    let line = SampleCommandLine(request, model: "m.safetensors")
    #expect(line.text
      == "mosc sample -m m.safetensors -p 'a fox' -W 64 -H 96 --steps 3 --cfg-scale 4 -s 7 --sampler 'DPM++ 2M' "
      + "--region 'box=0,0,0.5,1; prompt=\"one; two\"'")
    #expect(line.scene == nil)
    request.regions.items = [
      .fields([("prompt", .string("x")), ("lora", .array([.string("/home/ann/loras/cat.pth:1.0:0.5"), .string("/home/ann/loras/hat.pth:1.0:1.0")]))])
    ]
    let carrying = SampleCommandLine(request, model: nil).text
    #expect(carrying.hasSuffix("--lora-dir concepts --region 'prompt=x; lora=cat.pth:1.0:0.5; lora=hat.pth:1.0:1.0'"), "\(carrying)")
    request.regions.items = [.fields([("mask", .string("data:image/png;base64,AA")), ("prompt", .string("x"))])]
    let masked = SampleCommandLine(request, model: nil)
    #expect(masked.text.hasSuffix("--regions scene.json") && masked.scene?.count == 1)
  }

  // MARK: Interruption

  @Test func aTokenEndsItsOwnWorkAlone() throws {
    let token = CancellationToken()
    try Interruption.heeding(token) {
      try Interruption.check()
      let question = Interruption.question
      token.cancel()
      #expect(Interruption.isRequested)
      #expect(throws: CommandError.interrupted) { try Interruption.check() }
      // Threads that help have no token of their own.
      DispatchQueue.concurrentPerform(iterations: 2) { _ in #expect(question()) }
    }
    #expect(!Interruption.isRequested)
  }
}
