import Foundation
import MoscEngine
import MoscFormats
import MoscFuse
import MoscReport

/// `mosc run fuse_layer`: solves recorded problems of fusion.
///
/// For every name, `NAME.X [n,in]`, `NAME.Y [n,out]` and `NAME.W0 [out,in]` give `NAME.W`, the weight
/// with a small mean of `(X Wᵀ − Y)²`; the metadata's `objective` holds that mean before and after, and
/// `‖W − W₀‖`. The iterations of `lbfgs` are those that the file's metadata names (`mse`), else 500.
struct FuseLayerJob {
  /// The reference's iterations for text and cross-attention layers.
  static let usualIterations = 500

  let request: RunRequest
  let reporter: Reporter

  init(_ request: RunRequest, _ reporter: Reporter) {
    self.request = request
    self.reporter = reporter
  }

  func run() throws {
    let output = try OutputFile(request.output)
    let file = try SafetensorsFile(URL(fileURLWithPath: request.input))
    let names = file.entries.compactMap {
      $0.name.hasSuffix(".X") ? String($0.name.dropLast(2)) : nil
    }
    guard !names.isEmpty else {
      throw FormatError(
        request.input, nil, "holds no problem: expected tensors NAME.X, NAME.Y and NAME.W0")
    }
    try LinearAlgebra.load()
    let recorded = try Self.iterations(file)
    var tensors: [(name: String, array: HostArray)] = []
    var members: [JSONValue.Member] = []
    for name in names.sorted() {
      let (x, y) = (try Self.matrix("\(name).X", file), try Self.matrix("\(name).Y", file))
      let start = try Self.matrix("\(name).W0", file)
      guard x.rows == y.rows, start.rows == y.columns, start.columns == x.columns else {
        throw FormatError(
          request.input, "tensor \"\(name).W0\"",
          "is \(start.rows)x\(start.columns) beside X \(x.rows)x\(x.columns) and Y "
            + "\(y.rows)x\(y.columns); expected [out, in], [n, in] and [n, out]")
      }
      let problem = try ReducedProblem(x: x, y: y, start: start)
      let iterations = recorded[name] ?? Self.usualIterations
      let solution = try request.solver.solve(problem, iterations: iterations)
      let change = problem.change(solution.m)
      var weight = start
      weight.add(change)
      let stored = weight.values.map { Float($0) }
      tensors.append(("\(name).W", HostArray(stored, shape: [weight.rows, weight.columns])))
      let before = Self.objective(x, y, start)
      let after = Self.objective(
        x, y, Matrix(weight.rows, weight.columns, stored.map(Double.init)))
      members.append(
        JSONValue.Member(
          name,
          .object([
            JSONValue.Member("before", .double(before)), JSONValue.Member("after", .double(after)),
            JSONValue.Member("change", .double(change.norm)),
            JSONValue.Member("evaluations", .int(solution.evaluations)),
            JSONValue.Member("penalty", .double(solution.penalty)),
          ])))
      reporter.info("\(name): objective \(before) to \(after), change \(change.norm)")
    }
    try SafetensorsFile.write(
      tensors,
      metadata: [
        "mosc": Version.text, "solver": request.solver.rawValue,
        "objective": JSONValue.object(members).description,
      ], to: output.url)
  }

  /// The mean of `(X Wᵀ − Y)²`.
  static func objective(_ x: Matrix, _ y: Matrix, _ w: Matrix) -> Double {
    let rest = Matrix.product(x, transposed: w) - y
    return rest.dot(rest) / Double(max(1, rest.values.count))
  }

  private static func matrix(_ name: String, _ file: SafetensorsFile) throws -> Matrix {
    let array = try file.array(name)
    guard array.shape.count == 2 else {
      throw FormatError(
        file.url.path, "tensor \"\(name)\"", "has shape \(array.shape), expected two axes")
    }
    let values = array.doubles
    if let bad = values.first(where: { !$0.isFinite }) {
      throw FormatError(file.url.path, "tensor \"\(name)\"", "holds \(bad), expected numbers")
    }
    return Matrix(array.shape[0], array.shape[1], values)
  }

  private static func iterations(_ file: SafetensorsFile) throws -> [String: Int] {
    guard let text = file.metadata["mse"] else { return [:] }
    let value = try JSONValue.parse(Array(text.utf8), path: file.url.path)
    return Dictionary(
      (value.members ?? []).compactMap { member in
        member.value["iters"]?.int.map { (member.key, $0) }
      }, uniquingKeysWith: { $1 })
  }
}
