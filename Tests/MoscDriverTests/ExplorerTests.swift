import Foundation
import TestSupport
import Testing

/// The page of `--emit=html`, in a real browser: headless Chromium, which `tools/test` installs.
@Suite struct ExplorerTests {
  private let scratch = Scratch()

  private static let browser = ["chromium", "chromium-browser", "google-chrome"]
    .flatMap { name in ["/usr/bin/\(name)", "/usr/local/bin/\(name)", "/snap/bin/\(name)"] }
    .first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Clicks from a layer to its assembly, searches, and puts what it saw into the document's title.
  private static let visit = """
    <script>
      const seen = {};
      const press = selector => document.querySelector(selector).click();
      const layer = "down_blocks.0.resnets.0.conv1";
      seen.rows = document.querySelectorAll("tr.row").length;
      press('tr.row[data-layer="' + layer + '"][data-index]');
      press('button[data-tab="graph"]');
      seen.graph = document.querySelector("#view pre").textContent.includes("%" + layer + " = conv2d(");
      press('button[data-tab="passes"]');
      seen.passes = document.querySelector("#view").textContent.includes("pack-weights");
      const search = document.getElementById("search");
      search.value = "winograd_conv2d resnets.0.conv1";
      search.dispatchEvent(new Event("input"));
      seen.found = document.querySelectorAll("tr.row").length;
      press('tr.row[data-layer="' + layer + '"]');
      press('button[data-tab="mos"]');
      seen.kernel = document.querySelector("#view pre").textContent.includes("winograd_conv2d(");
      press('button[data-tab="llvm"]');
      seen.llvm = document.querySelector("#view pre").textContent.includes("define");
      press('button[data-tab="asm"]');
      seen.assembly = document.querySelector("#view pre").textContent.includes("ret");
      seen.facts = document.getElementById("facts").textContent.includes("GFLOP");
      search.value = "";
      search.dispatchEvent(new Event("input"));
      const numbers = [...document.querySelectorAll("#list .n")];
      seen.numbers = numbers.length > 400 && numbers.every(cell => cell.scrollWidth <= cell.clientWidth);
      const left = document.getElementById("list");
      seen.width = innerWidth === 1500 && left.scrollWidth <= left.clientWidth;
      const colour = id => getComputedStyle(document.getElementById(id)).color;
      seen.contrast = colour("facts") === getComputedStyle(document.body).color;
      seen.legend = document.querySelectorAll("#legend dt").length > 4;
      document.title = JSON.stringify(seen);
    </script>
    """

  @Test(.enabled(if: browser != nil, "there is no Chromium, which tools/test installs"))
  func fromALayerToItsAssembly() throws {
    let browser = try #require(Self.browser)
    let page = scratch.path("unet.html")
    let outcome = try MoscProgram.run(
      "compile", "unet", "--latent=16x16", "--emit=html", "-o", page)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let html = try String(contentsOfFile: page, encoding: .utf8)
    // Nothing comes from outside.
    #expect(!html.contains("src=") && !html.contains("<link") && !html.contains("@import"))
    try (html + Self.visit).write(toFile: page, atomically: true, encoding: .utf8)

    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: browser)
    process.arguments = [
      "--headless", "--window-size=1500,900", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
      "--user-data-dir=\(scratch.path("profile"))", "--dump-dom", "file://\(page)",
    ]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let dom = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()

    let title = try #require(dom.firstMatch(of: /<title>(.*?)<\/title>/)).1
    let text = title.replacingOccurrences(of: "&quot;", with: "\"")
    let seen = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(title)")
    #expect((seen["rows"] as? Int ?? 0) > 200)
    #expect((seen["found"] as? Int ?? 0) >= 2)
    for key in ["graph", "passes", "kernel", "llvm", "assembly", "facts", "numbers", "width", "contrast", "legend"] {
      #expect(seen[key] as? Bool == true, "\(key): \(text)")
    }
  }
}
