import Foundation
import MoscFormats
import MoscReport
import MoscImages
import MoscServer
import TestSupport
import Testing

/// The studio in a real browser. `MOSC_SCREENSHOTS=folder` keeps what it looks like.
@Suite(.serialized, .enabled(if: Browser.isThere, "there is no Chromium, which tools/test installs"))
struct BrowserTests {
  private let server: TestServer

  init() throws { server = try TestServer() }

  private func open(width: Int = 1400, height: Int = 900, scale: Int = 1) throws -> Browser {
    let browser = try Browser(width: width, height: height, scale: scale)
    try browser.open("http://127.0.0.1:\(server.port)/")
    try browser.wait("document.body.dataset.ready")
    // Whatever size the model's own pictures have.
    for side in ["width", "height"] { try browser.type("64", into: "#set-\(side)") }
    return browser
  }

  /// A place of the picture, in shares, as one of the page.
  private func place(_ browser: Browser, _ x: Double, _ y: Double) throws -> (x: Double, y: Double) {
    let value = try browser.run(
      """
      // What lies under the edge of the window cannot be reached with a mouse.
      document.getElementById('canvas').scrollIntoView({block: 'center'});
      const bounds = document.getElementById('canvas').getBoundingClientRect();
      const [w, h] = [Number(document.getElementById('set-width').value), Number(document.getElementById('set-height').value)];
      const scale = Math.min((bounds.width - 16) / w, (bounds.height - 16) / h);
      return [bounds.left + (bounds.width - w * scale) / 2 + arguments[0] * w * scale,
        bounds.top + (bounds.height - h * scale) / 2 + arguments[1] * h * scale];
      """, [.double(x), .double(y)])
    let numbers = (value.array ?? []).compactMap(\.double)
    return (numbers[0], numbers[1])
  }

  private func drag(_ browser: Browser, from: (Double, Double), to: (Double, Double)) throws {
    let (a, b) = (try place(browser, from.0, from.1), try place(browser, to.0, to.1))
    try browser.drag([a, ((a.x + b.x) / 2, (a.y + b.y) / 2), b])
  }

  private func scene(_ browser: Browser) throws -> JSONValue {
    let text = try browser.run("return localStorage.getItem('mosc-scene')").string ?? "null"
    return try JSONValue.parse(text.utf8, path: "scene")
  }

  private func keep(_ browser: Browser, _ name: String) throws {
    guard let folder = ProcessInfo.processInfo.environment["MOSC_SCREENSHOTS"] else { return }
    try browser.screenshot().write(to: URL(fileURLWithPath: folder).appending(path: "\(name).png"))
  }

  /// The number of regions, and the sides of a box in pixels.
  private func box(_ scene: JSONValue, _ index: Int) -> [Double] {
    (scene["regions"]?[index]?["box"]?.array ?? []).compactMap(\.double).map { ($0 * 64).rounded() }
  }

  @Test func twoBoxesTwoPromptsAPicture() throws {
    let browser = try open()
    try browser.type("a fox and a robot, on grass", into: "#set-prompt")
    try browser.type("6", into: "#set-steps")
    try drag(browser, from: (0.0, 0.1), to: (0.5, 0.9))
    try browser.type("a fox, on grass", into: "#region-prompt")
    try drag(browser, from: (0.55, 0.1), to: (1.0, 0.9))
    try browser.type("a robot, on grass", into: "#region-prompt")
    let drawn = try scene(browser)
    #expect(drawn["regions"]?.array?.count == 2)
    // On the grid of 8 pixels.
    #expect(box(drawn, 0) == [0, 8, 32, 56])
    #expect(box(drawn, 1) == [32, 8, 64, 56] || box(drawn, 1) == [40, 8, 64, 56])
    try browser.wait("document.querySelectorAll('#regions .badge').length > 2")
    try browser.click("#run")
    try browser.wait("document.querySelectorAll('#gallery img').length === 1")
    try browser.wait("document.querySelector('#gallery img').naturalWidth === 64")
    // Two previews were there before it.
    let previews = "performance.getEntriesByType('resource').filter(entry => entry.name.includes('/preview?'))"
    try browser.wait("\(previews).length === 2")
    #expect(try browser.run("return \(previews).map(entry => entry.responseStatus)") == .array([.int(200), .int(200)]))
    try keep(browser, "wide")

    // Undo, do again, and another visit finds it all.
    try browser.click("#undo")
    #expect(try scene(browser)["regions"]?[1]?["prompt"]?.string == "")
    try browser.click("#redo")
    #expect(try scene(browser)["regions"]?[1]?["prompt"]?.string == "a robot, on grass")
    try browser.reload()
    try browser.wait("document.body.dataset.ready")
    #expect(try scene(browser) == drawn)
    try browser.wait("document.querySelectorAll('#gallery img').length === 1")
    #expect(try browser.run("return document.getElementById('set-prompt').value").string == "a fox and a robot, on grass")

    // The picture brings its scene back where nothing is left of it.
    try browser.run("localStorage.clear()")
    try browser.reload()
    try browser.wait("document.body.dataset.ready")
    #expect(try browser.run("return document.querySelectorAll('#regions li').length").int == 0)
    try browser.run(
      """
      window.taken = false;
      fetch(document.querySelector('#gallery img').src).then(reply => reply.blob()).then(blob => {
        const data = new DataTransfer();
        data.items.add(new File([blob], 'x.png', {type: 'image/png'}));
        const event = new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data});
        document.getElementById('canvas').dispatchEvent(event);
        window.taken = true;
      });
      """)
    try browser.wait("window.taken && document.querySelectorAll('#regions li').length === 2")
    let restored = try scene(browser)
    #expect(restored["prompt"]?.string == "a fox and a robot, on grass")
    #expect(restored["regions"]?[0]?["prompt"]?.string == "a fox, on grass")
    #expect(box(restored, 0) == [0, 8, 32, 56])

    // The command on the page draws the bytes of its picture.
    try browser.click("#copy-command")
    try browser.wait("document.getElementById('status').textContent.includes('mosc sample')")
    let text = try #require(try browser.run("return document.getElementById('status').textContent").string)
    let command = text.replacing("copied: ", with: "")
    let scratch = Scratch()
    let outcome = try MoscProgram.run(
      "/bin/sh", ["-c", "'\(MoscProgram.url.path)'\(command.dropFirst(4)) -q -o picture.png"], in: scratch)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let url = try #require(try browser.run("return new URL(document.querySelector('#gallery img').src).pathname").string)
    #expect(try server.send("GET", url).body == Data(contentsOf: scratch.url.appending(path: "picture.png")))
  }

  @Test func boxesMoveAndResizeAtEveryShape() throws {
    let browser = try open(scale: 2)
    for (width, height) in [(64, 64), (128, 64), (64, 128)] {
      try browser.run("localStorage.clear()")
      try browser.reload()
      try browser.wait("document.body.dataset.ready")
      try browser.type("\(width)", into: "#set-width")
      try browser.type("\(height)", into: "#set-height")
      try drag(browser, from: (0.25, 0.25), to: (0.5, 0.5))
      func box() throws -> [Double] { (try scene(browser)["regions"]?[0]?["box"]?.array ?? []).compactMap(\.double) }
      #expect(try box() == [0.25, 0.25, 0.5, 0.5], "\(width)x\(height)")
      try drag(browser, from: (0.375, 0.375), to: (0.625, 0.625))
      #expect(try box() == [0.5, 0.5, 0.75, 0.75], "\(width)x\(height)")
      try drag(browser, from: (0.75, 0.75), to: (1.0, 1.0))
      #expect(try box() == [0.5, 0.5, 1, 1], "\(width)x\(height)")
    }
    // Half of the picture, and the same where it is zoomed.
    #expect(try browser.run("return devicePixelRatio").int == 2)
    try keep(browser, "tall-2x")
  }

  @Test func masksArePaintedAndErased() throws {
    let browser = try open()
    try drag(browser, from: (0.25, 0.25), to: (0.5, 0.5))
    try browser.type("a fox", into: "#region-prompt")
    try browser.click("#tool-brush")
    try drag(browser, from: (0.2, 0.8), to: (0.8, 0.8))
    let mask = try #require(try scene(browser)["regions"]?[0]?["mask"]?.string)
    let data = try #require(Data(base64Encoded: String(mask.dropFirst("data:image/png;base64,".count))))
    let image = try PNG.decode(data, path: "mask").image
    #expect((image.width, image.height) == (64, 64))
    func alpha(_ x: Int, _ y: Int, _ image: PixelImage) -> UInt8 { image.pixels[(y * 64 + x) * 4 + 3] }
    // The box is the beginning of the mask, the stroke joins it.
    #expect(alpha(20, 20, image) == 255 && alpha(32, 51, image) == 255 && alpha(50, 10, image) == 0)
    try browser.click("#mask-invert")
    try browser.click("#eraser")
    try drag(browser, from: (0.75, 0.1), to: (0.85, 0.1))
    let inverted = try #require(try scene(browser)["regions"]?[0]?["mask"]?.string)
    let bytes = try #require(Data(base64Encoded: String(inverted.dropFirst("data:image/png;base64,".count))))
    let second = try PNG.decode(bytes, path: "mask").image
    #expect(alpha(20, 20, second) == 0 && alpha(50, 7, second) == 0 && alpha(5, 30, second) == 255)
    try browser.wait("document.querySelectorAll('#regions .badge').length > 0")
    try browser.type("2", into: "#set-steps")
    try browser.click("#run")
    try browser.wait("document.querySelectorAll('#gallery img').length === 1")
  }

  @Test func picturesBeginWithThoseOfTheGallery() throws {
    let browser = try open()
    try browser.type("a fox, on grass", into: "#set-prompt")
    try browser.type("4", into: "#set-steps")
    try browser.click("#run")
    try browser.wait("document.querySelectorAll('#gallery img').length === 1")
    try browser.click("#gallery .begin")
    try browser.wait("document.querySelector('#initial img')?.naturalWidth === 64")
    try browser.run("document.getElementById('initial-keep').click()")
    try drag(browser, from: (0.5, 0.0), to: (1.0, 1.0))
    try browser.type("a robot, on grass", into: "#region-prompt")
    try browser.click("#run")
    try browser.wait("document.querySelectorAll('#gallery img').length === 2")
    // What no region covers is as it was.
    let same = try browser.run(
      """
      const pixels = await Promise.all([...document.querySelectorAll('#gallery img')].map(async image => {
        await image.decode();
        const canvas = new OffscreenCanvas(64, 64), context = canvas.getContext('2d');
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, 8, 64).data].join();
      }));
      return pixels[0] === pixels[1];
      """)
    #expect(same == .bool(true))
    try browser.click("#initial-remove")
    try browser.wait("!document.querySelector('#initial img')")
  }

  @Test func jobsAreCancelledFromThePage() throws {
    let browser = try open()
    try browser.type("a fox", into: "#set-prompt")
    try browser.type("64", into: "#set-count")
    try browser.click("#run")
    try browser.wait("document.querySelector('#jobs li[data-status=running]')")
    try browser.click("#run")
    try browser.wait("document.querySelector('#jobs li[data-status=queued]')")
    try browser.click("#jobs li[data-status=queued] .cancel")
    try browser.wait("document.getElementById('status').textContent.endsWith(': cancelled')")
    #expect(try server.send("GET", "/healthz").json["waiting"]?.int == 0)
    try browser.click("#jobs li[data-status=running] .cancel")
    try browser.wait("!document.querySelector('#jobs li[data-status=running]')")
    #expect(try server.send("GET", "/healthz").json["running"] == .null)
  }

  @Test func theKeyboardIsEnough() throws {
    let browser = try open()
    try browser.run("document.getElementById('set-prompt').focus()")
    try browser.press("a fox".map(String.init))
    try browser.run("document.getElementById('add-region').focus()")
    try browser.press(["Enter"])
    try browser.run("document.getElementById('canvas').focus()")
    try browser.press(["ArrowRight"])
    try browser.press(["ArrowDown"], holding: ["Alt"])
    #expect(box(try scene(browser), 0) == [24, 16, 56, 56])
    try browser.press(["d"], holding: ["Control"])
    #expect(try scene(browser)["regions"]?.array?.count == 2)
    try browser.press(["Delete"])
    #expect(try scene(browser)["regions"]?.array?.count == 1)
    try browser.press(["z"], holding: ["Control"])
    #expect(try scene(browser)["regions"]?.array?.count == 2)
    try browser.press(["y"], holding: ["Control"])
    #expect(try scene(browser)["regions"]?.array?.count == 1)
    try browser.run("document.getElementById('set-prompt').focus()")
    try browser.press(["Enter"], holding: ["Control"])
    try browser.wait("document.querySelectorAll('#gallery img').length === 1")
  }

  /// The studio as the README shows it, written to `MOSC_SCREENSHOTS` as `studio.jpg`.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["MOSC_SCREENSHOTS"] != nil, "nobody wants it")) func aPictureOfTheStudio() throws {
    let browser = try open(width: 1200, height: 800)
    try browser.type("192", into: "#set-width")
    try browser.type("128", into: "#set-height")
    try browser.type("24", into: "#set-steps")
    try browser.type("0", into: "#set-seed")
    try browser.type("a robot and a fox, in the snow", into: "#set-prompt")
    for (name, left, right) in [("robot", 0.04, 0.46), ("fox", 0.54, 0.96)] {
      try drag(browser, from: (left, 0.125), to: (right, 1))
      try browser.type("a \(name), in the snow", into: "#region-prompt")
      try browser.type(name, into: "#region-name")
    }
    try browser.click("#run")
    try browser.wait("document.querySelector('#gallery img')?.naturalWidth === 192 && !document.querySelector('#jobs li')")
    try browser.run("scrollTo(0, 0); await new Promise(requestAnimationFrame)")
    let data = try browser.screenshot(quality: 75)
    #expect(data.count < 150_000)
    let folder = try #require(ProcessInfo.processInfo.environment["MOSC_SCREENSHOTS"])
    try data.write(to: URL(fileURLWithPath: folder).appending(path: "studio.jpg"))
  }

  /// A click is one of mouse down and mouse up on the same element, whatever the page writes anew between them.
  @Test func clicksAreNotLostWhileThePageChanges() throws {
    let browser = try open()
    // What is typed is taken up when the button takes the focus.
    try browser.run("document.getElementById('set-prompt').focus()")
    try browser.call("Input.insertText", [("text", .string("on grass"))])
    try browser.click("#add-region")
    #expect(try scene(browser)["prompt"]?.string == "on grass")
    #expect(try scene(browser)["regions"]?.array?.count == 1)
    try browser.run("document.getElementById('region-prompt').focus()")
    try browser.call("Input.insertText", [("text", .string("a fox"))])
    try browser.click("#add-region")
    #expect(try scene(browser)["regions"]?[0]?["prompt"]?.string == "a fox")
    #expect(try scene(browser)["regions"]?.array?.count == 2)
    try browser.run("document.getElementById('region-prompt').focus()")
    try browser.call("Input.insertText", [("text", .string("a robot"))])
    try browser.click("#regions li")
    #expect(try scene(browser)["regions"]?[1]?["prompt"]?.string == "a robot")
    #expect(try browser.run("return document.getElementById('region-prompt').value").string == "a fox")
    // Lists keep what is chosen in them.
    try browser.run("document.getElementById('set-sampler').focus()")
    try browser.press(["ArrowDown"])
    let sampler = try #require(try scene(browser)["sampler"]?.string)
    #expect(sampler != "DPM++ 2M")
    #expect(try browser.run("return document.getElementById('set-sampler').value").string == sampler)
    // The button of a job that tells its progress many times a second is one and the same.
    try browser.type("64", into: "#set-count")
    try browser.click("#run")
    try browser.wait("document.querySelector('#jobs li[data-status=running]')")
    try browser.run("window.button = document.querySelector('#jobs .cancel'); window.text = document.querySelector('#jobs li').textContent")
    try browser.wait("document.querySelector('#jobs li').textContent !== window.text")
    #expect(try browser.run("return document.querySelector('#jobs .cancel') === window.button") == .bool(true))
    try browser.click("#jobs .cancel")
    try browser.wait("document.getElementById('status').textContent.endsWith(': cancelled')")
  }

  @Test func leaksAreShownWhenAskedFor() throws {
    let browser = try open()
    try browser.type("on grass", into: "#set-prompt")
    try browser.type("3", into: "#set-steps")
    try drag(browser, from: (0, 0), to: (0.5, 1))
    try browser.type("a fox", into: "#region-prompt")
    try browser.click("#set-leaks")
    try browser.click("#run")
    try browser.wait("document.querySelectorAll('#leaks tbody tr').length > 0")
    let text = try #require(try browser.run("return document.querySelector('#leaks tbody').textContent").string)
    #expect(text.contains("region 1, 50 %") && text.contains("fox"), "\(text)")
    let shown = try browser.run("return [...document.querySelectorAll('#leaks meter')].every(meter => meter.value > 0 && meter.value < 1)")
    #expect(shown == .bool(true))
  }

  /// What a checker of accessibility looks at first: names of controls, contrast, one heading, focus.
  @Test(arguments: [(390, 844), (820, 1180), (1400, 900)])
  func thePageIsUsableAtEverySize(_ width: Int, _ height: Int) throws {
    let browser = try open(width: width, height: height)
    try drag(browser, from: (0.1, 0.1), to: (0.6, 0.6))
    try browser.wait("document.querySelectorAll('#regions .badge').length > 1")
    // By day and by night.
    for colours in ["light", "dark"] {
      let feature = JSONValue.fields([("name", .string("prefers-color-scheme")), ("value", .string(colours))])
      try browser.call("Emulation.setEmulatedMedia", [("features", .array([feature]))])
      let faults = try faults(browser)
      #expect(faults == .array([]), "\(width)x\(height), \(colours): \(faults)")
      try keep(browser, "size-\(width)-\(colours)")
    }
  }

  private func faults(_ browser: Browser) throws -> JSONValue {
    try browser.run(
      """
      const faults = [];
      for (const control of document.querySelectorAll('button, input, select, textarea, a[href], progress, canvas')) {
        if (!control.checkVisibility()) continue;
        const name = control.ariaLabel || control.labels?.[0]?.textContent || control.textContent || control.title;
        if (!name?.trim()) faults.push('no name: ' + control.outerHTML.slice(0, 80));
      }
      for (const image of document.querySelectorAll('img')) if (!image.alt) faults.push('no alt: ' + image.src);
      const luminance = colour => {
        const parts = colour.match(/[\\d.]+/g).map(Number).slice(0, 3).map(value => {
          const share = value / 255;
          return share <= .03928 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4;
        });
        return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
      };
      const back = element => {
        for (let e = element; e; e = e.parentElement) {
          const colour = getComputedStyle(e).backgroundColor;
          if (!colour.endsWith(', 0)')) return colour;
        }
        return 'rgb(255, 255, 255)';
      };
      for (const element of document.querySelectorAll('h1, h2, p, button, label span, li, .badge')) {
        if (!element.checkVisibility() || !element.textContent.trim() || element.disabled) continue;
        const [a, b] = [luminance(getComputedStyle(element).color), luminance(back(element))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(1) + ': ' + element.textContent.slice(0, 30));
      }
      if (document.documentElement.scrollWidth > innerWidth + 1) faults.push('wider than the window: ' + document.documentElement.scrollWidth);
      if (document.querySelectorAll('h1').length !== 1) faults.push('headings');
      const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
      if (new Set(ids).size !== ids.length) faults.push('ids twice: ' + ids.filter((id, i) => ids.indexOf(id) !== i));
      if (!document.documentElement.lang) faults.push('no language');
      return faults;
      """)
  }

  @Test func aConceptIsTaughtAndFused() throws {
    let browser = try open()
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "tools/base/concepts/teddy/images/00.png")
    let picture = try Data(contentsOf: folder).base64EncodedString()
    try browser.click("#tab-teach")
    try browser.run(
      """
      const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));
      const data = new DataTransfer();
      for (const name of ['a.png', 'b.png']) data.items.add(new File([bytes], name, {type: 'image/png'}));
      document.getElementById('panel-teach').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data}));
      """, [.string(picture)])
    try browser.wait("document.querySelectorAll('#teach-pictures img').length === 2")
    try browser.type("teddy", into: "#teach-name")
    try browser.type("bear", into: "#teach-init")
    try browser.type("2", into: "#teach-steps")
    try browser.click("#teach-start")
    try browser.wait("document.getElementById('teach-log').textContent.includes('is learnt')", seconds: 240)
    // Quick steps are told of together, the last one always.
    #expect(try browser.run("return document.getElementById('teach-loss').ariaLabel").string?.contains(" at step 2,") == true)
    #expect(try browser.run("return document.querySelector('#teach-loss polyline').getAttribute('points').length").int ?? 0 > 0)
    try keep(browser, "teach")
    try browser.click("#tab-fuse")
    try browser.wait("document.getElementById('fuse-teddy')")
    try browser.click("#fuse-teddy")
    try browser.click("#fuse-sheet")
    try browser.type("2", into: "#fuse-refine")
    try browser.click("#fuse-start")
    try browser.wait("document.querySelectorAll('#fuse-result tbody tr').length === 1", seconds: 240)
    try keep(browser, "fuse")
    try browser.click("#tab-draw")
    try browser.wait("[...document.querySelectorAll('#set-lora option')].some(o => o.value === 'fused')")
  }
}
