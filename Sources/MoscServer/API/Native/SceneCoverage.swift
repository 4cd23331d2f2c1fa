import MoscDiffusion
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport
import MoscSample

/// What regions cover at each resolution of a model, before anything is drawn.
enum SceneCoverage {
  /// The cells of each region at each resolution, and the shares at the finest one in thousandths, the
  /// picture's prompt first.
  static func json(_ fields: JSONFields, _ services: Services) throws -> JSONValue {
    var options = try services.request(model: fields.string("model"))
    let model = try ModelComponents.open(options.model, keeper: services.keeper)
    let side = try model.trainedSize()
    let width = try fields.int("width", in: Limits.side) ?? side
    let height = try fields.int("height", in: Limits.side) ?? side
    try Limits.check(width: width, height: height)
    options.regions.items = try DrawFields.regions(fields.array("regions") ?? [], field: "regions", services)
    let factor = try model.vae().config.downsampling
    guard width % factor == 0, height % factor == 0 else {
      throw APIError.field("width", "expected multiples of \(factor)")
    }
    let pictureWidth = width
    let regions = try options.regions.regions(width: width, height: height)
    let resolutions = try model.unet().config.attentionResolutions(height: height / factor, width: width / factor)
    let levels = resolutions.map { height, width in
      RegionCoverage(
        regions, active: regions.map { _ in true }, height: height, width: width, pictureWidth: pictureWidth,
        rounding: .centre)
    }
    let rows = levels.map { level -> JSONValue in
      let cells = level.height * level.width
      let counts = regions.indices.map { index in
        level.shares[(index + 1) * cells..<(index + 2) * cells].count { $0 > 0 }
      }
      return .fields([
        ("width", .int(level.width)), ("height", .int(level.height)), ("cells", .array(counts.map(JSONValue.int))),
      ])
    }
    var result: [(String, JSONValue)] = [("levels", .array(rows))]
    if let finest = levels.max(by: { $0.height * $0.width < $1.height * $1.width }) {
      let cells = finest.height * finest.width
      let shares = (0...regions.count).map { row in
        JSONValue.array(
          finest.shares[row * cells..<(row + 1) * cells].map { .int(Int(($0 * 1000).rounded())) })
      }
      let bare = finest.shares[..<cells].reduce(0, +) / Float(max(1, cells))
      result += [
        ("width", .int(finest.width)), ("height", .int(finest.height)), ("shares", .array(shares)),
        ("uncovered", .rounded(Double(bare))),
      ]
    }
    return .fields(result)
  }
}
