import Foundation
import MoscEngine
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscRuntime
import MoscSample

/// What `mosc grid` with axes is asked for.
package struct AxisGridRequest: Sendable {
  /// Columns, rows, and sheets below each other.
  package var x: String?
  package var y: String?
  package var z: String?
  /// The command line of `mosc sample` that all pictures share, without the command.
  package var line: [String] = []
  package var title = ""
  /// A file, or a folder for numbered sheets.
  package var output = OutputPattern.workingFolder
  /// A folder that receives every picture; nil for none.
  package var pictures: String?
  /// How many times larger than they are pictures are shown.
  package var scale = 1
  /// Pixels between pictures and around them; nil for a few.
  package var gap: Int?

  package init() {}
}

/// `mosc grid` with axes: draws a picture for each combination of values, and puts them on one sheet.
///
/// Each picture is asked for by the command line with the values of its place, read as `mosc sample` reads
/// it; so every option is an axis. All are checked before the first is drawn.
package struct AxisGridJob {
  /// One picture of the sheet.
  private struct Cell {
    var x, y, z: Int
    var plan: SamplePlan
    var image: PixelImage?
  }

  private let request: AxisGridRequest
  private let reporter: Reporter
  private let axes: [GridAxis?]
  private var cells: [Cell] = []
  /// Models and programs that pictures share.
  private let keeper: ModelKeeper
  private let sheet: OutputFile
  /// Where each picture goes; empty for nowhere.
  private let files: [OutputFile]
  /// The processes that share the pictures; nil for this one alone.
  private let team: PictureTeam?

  /// - Parameters:
  ///   - options: those of `mosc sample`.
  ///   - read: reads a command line of `mosc sample`.
  /// - Throws: what is wrong with an axis or with the request of any picture.
  package init(
    _ request: AxisGridRequest, options: [CommandOption], _ reporter: Reporter, _ team: PictureTeam? = nil,
    read: ([String]) throws -> SampleRequest
  ) throws {
    (self.request, self.reporter, self.team) = (request, reporter, team)
    try CommandError.check("scale", request.scale, in: 1...16)
    if let gap = request.gap { try CommandError.check("gap", gap, in: 0...256) }
    axes = try [("x", request.x), ("y", request.y), ("z", request.z)].map { direction, text in
      try text.map { try GridAxis(direction, $0, options: options) }
    }
    sheet = try OutputPattern(request.output, .picture, prefix: "grid-").file()
    let counts = axes.map { $0?.values.count ?? 1 }
    let count = counts.reduce(1) { $0.multipliedReportingOverflow(by: $1).overflow ? .max : $0 * $1 }
    guard count <= Self.mostCells else {
      throw CommandError.usage("the axes make \(count) pictures, expected at most \(Self.mostCells)")
    }
    // Half of the memory: a program that is being made is not kept yet.
    keeper = ModelKeeper(limit: (ProcessFacts.memoryBytes ?? 8 << 30) / 2)
    var line = request.line
    var pixels = 0
    for z in 0..<counts[2] {
      for y in 0..<counts[1] {
        for x in 0..<counts[0] {
          var arguments = line
          for (axis, index) in zip(axes, [x, y, z]) {
            if let axis { arguments = try axis.arguments(arguments, at: index) }
          }
          let asked = try read(arguments)
          // A seed that was drawn is that of all.
          if cells.isEmpty, asked.seeds.count == 1 { line.append("--seed=\(asked.seeds[0])") }
          let plan = try SamplePlan(asked, keeper: keeper)
          guard plan.count == 1 else {
            throw CommandError.usage(
              "a place on the sheet is for one picture, not \(plan.count); seeds can be an axis: --x seed=1-\(plan.count)")
          }
          pixels += plan.width * plan.height * request.scale * request.scale
          cells.append(Cell(x: x, y: y, z: z, plan: plan))
        }
      }
    }
    guard pixels <= PixelImage.mostPixels else {
      throw CommandError.usage(
        "the sheet would have \(pixels) pixels, expected at most \(PixelImage.mostPixels)")
    }
    let items = cells.map { OutputPattern.Item(seed: $0.plan.request.seeds.first) }
    files = try request.pictures.map { folder in
      try OutputPattern(folder.hasSuffix("/") ? folder : "\(folder)/", .picture).files(items)
    } ?? []
  }

  private static let mostCells = 4096

  package consuming func run() throws {
    var cells = cells
    if let team { try draw(&cells, team) } else { try draw(&cells) }
    let written = try sheet.put(try image(cells), texts: try texts(cells))
    try reporter.result(written.path)
  }

  private func draw(_ cells: inout [Cell]) throws {
    var compiler: (options: CompilationOptions, precision: Precision?, compiler: Compiler)?
    for (drawn, index) in order(cells).enumerated() {
      let plan = cells[index].plan
      let (options, precision) = (plan.request.compiler, plan.request.model.precision)
      if compiler?.options != options || compiler?.precision != precision {
        // What was compiled otherwise is of no use.
        if compiler != nil { keeper.clear() }
        compiler = (options, precision, try Compiler(options, precision: precision, reporter))
      }
      guard let compiler = compiler?.compiler else { continue }
      let sampler = try Sampler(plan, compiler, after: drawn, of: cells.count, keeper: keeper)
      try sampler.draw { picture, image in
        cells[index].image = image
        if !files.isEmpty {
          _ = try PictureWriter(plan, compiler.target).write(image, picture, to: files[index])
        }
      }
    }
  }

  /// Draws with other processes.
  private func draw(_ cells: inout [Cell], _ team: PictureTeam) throws {
    struct Kind: Hashable {
      var options: CompilationOptions
      var precision: Precision?
    }
    let order = order(cells)
    let plans = order.map { cells[$0].plan }
    var compilers: [Kind: Compiler] = [:]
    func compiler(_ plan: SamplePlan) throws -> Compiler {
      let kind = Kind(options: team.compiling(plan.request.compiler), precision: plan.request.model.precision)
      if let known = compilers[kind] { return known }
      let made = try Compiler(kind.options, precision: kind.precision, reporter)
      compilers[kind] = made
      return made
    }
    var images: [Int: PixelImage] = [:]
    try team.draw(
      plans, reporter, keeper: keeper, making: compiler,
      PictureTeam.Receiver { place, picture, image in
        images[order[place]] = image
        if files.isEmpty { return }
        let plan = plans[place]
        _ = try PictureWriter(plan, try compiler(plan).target).write(image, picture, to: files[order[place]])
      })
    for (index, image) in images { cells[index].image = image }
  }

  /// The cells in an order in which models and sizes change as seldom as possible.
  private func order(_ cells: [Cell]) -> [Int] {
    var kinds: [Kind] = []
    return cells.indices.map { index -> (kind: Int, index: Int) in
      let kind = Kind(cells[index].plan)
      if !kinds.contains(kind) { kinds.append(kind) }
      return (kinds.firstIndex(of: kind) ?? 0, index)
    }.sorted { ($0.kind, $0.index) < ($1.kind, $1.index) }.map(\.index)
  }

  /// What programs are made for.
  private struct Kind: Hashable {
    var request: SampleRequest
    var width, height: Int

    init(_ plan: SamplePlan) {
      var request = SampleRequest()
      (request.model, request.compiler) = (plan.request.model, plan.request.compiler)
      (self.request, width, height) = (request, plan.width, plan.height)
    }
  }

  /// Titles beside rows and above columns; one table per value of z.
  private func image(_ cells: [Cell]) throws -> PixelImage {
    var sheets: [PixelImage] = []
    let depth = axes[2]?.values.count ?? 1
    for z in 0..<depth {
      let rows = try (0..<(axes[1]?.values.count ?? 1)).map { y in
        ImageGrid.Row(
          axes[1]?.title(y) ?? "",
          try cells.filter { $0.y == y && $0.z == z }.compactMap(\.image).map { image in
            try image.resized(
              width: image.width * request.scale, height: image.height * request.scale, .bicubic)
          })
      }
      let titles = [z == 0 ? request.title : "", axes[2]?.title(z) ?? ""].filter { !$0.isEmpty }
      let columns = (0..<(axes[0]?.values.count ?? 1)).compactMap { axes[0]?.title($0) }
      sheets.append(
        try ImageGrid(
          rows, columns: columns, title: titles.joined(separator: "   "), gap: request.gap ?? 4 * min(request.scale, 2),
          textScale: min(request.scale, 2)
        ).image)
    }
    return try PixelImage.stacked(sheets)
  }

  /// What the sheet says of itself: the settings of its first picture, and the axes as the web UI names them.
  private func texts(_ cells: [Cell]) throws -> [PNG.Text] {
    guard let plan = cells.first?.plan, let picture = plan.batches.first?.first, plan.request.writesMetadata
    else { return [("Software", Version.text)] }
    let target = try CompilationTarget(plan.request.compiler, precision: plan.request.model.precision)
    var parameters = try PictureWriter(plan, target).parameters(picture)
    parameters.settings.append(.init("Script", "X/Y/Z plot"))
    for (direction, axis) in zip(["X", "Y", "Z"], axes) {
      guard let axis else { continue }
      parameters.settings.append(.init("\(direction) Type", axis.name))
      parameters.settings.append(.init("\(direction) Values", axis.values.joined(separator: ", ")))
    }
    return [("parameters", parameters.text), ("Software", Version.text)]
  }
}
