import Foundation
import HTTPTypes
import Hummingbird

/// The page of the studio and its parts, which are in the program.
package enum StudioPage {
  /// The parts by name.
  package static let files: [(name: String, type: String, bytes: [UInt8])] = [
    ("index.html", "text/html; charset=utf-8", PackageResources.index_html),
    ("studio.css", "text/css; charset=utf-8", PackageResources.studio_css),
  ] + scripts.map { ($0, "text/javascript; charset=utf-8", $1) }

  private static let scripts: [(String, [UInt8])] = [
    ("main.js", PackageResources.main_js), ("dom.js", PackageResources.dom_js), ("api.js", PackageResources.api_js),
    ("scene.js", PackageResources.scene_js), ("history.js", PackageResources.history_js),
    ("view.js", PackageResources.view_js), ("canvas.js", PackageResources.canvas_js),
    ("brush.js", PackageResources.brush_js), ("regions.js", PackageResources.regions_js),
    ("settings.js", PackageResources.settings_js), ("coverage.js", PackageResources.coverage_js),
    ("jobs.js", PackageResources.jobs_js), ("gallery.js", PackageResources.gallery_js),
    ("keys.js", PackageResources.keys_js), ("exchange.js", PackageResources.exchange_js),
    ("initial.js", PackageResources.initial_js), ("leaks.js", PackageResources.leaks_js), ("teach.js", PackageResources.teach_js), ("fuse.js", PackageResources.fuse_js),
  ]

  static var routes: [Route] {
    files.map { name, type, bytes in
      Route(.get, name == "index.html" ? "/" : "/studio/\(name)") { _ in
        .bytes(Data(bytes), type, headers: [.cacheControl: "no-cache"])
      }
    } + [
      Route(.get, "/favicon.ico") { _ in Response(status: .noContent) }
    ]
  }
}
