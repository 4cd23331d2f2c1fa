import HTTPTypes
import Hummingbird

/// A method and a path with what answers them.
struct Route: Sendable {
  let method: HTTPRequest.Method
  /// Such as `/mosc/v1/jobs/{id}`.
  let path: String
  let answer: @Sendable (Call) async throws -> Response

  init(
    _ method: HTTPRequest.Method, _ path: String, _ answer: @escaping @Sendable (Call) async throws -> Response
  ) {
    (self.method, self.path, self.answer) = (method, path, answer)
  }
}

/// All routes; tells a path that is not there from one that takes other methods.
struct RouteTable: Sendable {
  private let exact: [String: [Route]]
  private let patterns: [(parts: [Substring], route: Route)]
  let all: [Route]

  init(_ routes: [Route]) {
    all = routes
    exact = Dictionary(grouping: routes.filter { !$0.path.contains("{") }, by: \.path)
    patterns = routes.filter { $0.path.contains("{") }.map { ($0.path.split(separator: "/"), $0) }
  }

  /// The route of a request, with what stands in the place of names.
  ///
  /// - Throws: `APIError` 404 or 405.
  func find(_ method: HTTPRequest.Method, _ path: String) throws -> (route: Route, parameters: [String: String]) {
    var found: [(route: Route, parameters: [String: String])] = (exact[path] ?? []).map { ($0, [:]) }
    if found.isEmpty {
      let parts = path.split(separator: "/", omittingEmptySubsequences: true)
      for (pattern, route) in patterns where pattern.count == parts.count {
        var parameters: [String: String] = [:]
        let fits = zip(pattern, parts).allSatisfy { pattern, part in
          guard pattern.hasPrefix("{") else { return pattern == part }
          parameters[String(pattern.dropFirst().dropLast())] = String(part)
          return true
        }
        if fits { found.append((route, parameters)) }
      }
    }
    if found.isEmpty { throw APIError.notFound }
    let wanted = method == .head ? .get : method
    if let match = found.first(where: { $0.route.method == wanted }) { return match }
    var error = APIError(405, "Method Not Allowed")
    error.headers[.allow] = Set(found.map(\.route.method.rawValue)).sorted().joined(separator: ", ")
    throw error
  }
}

/// Answers requests: guards, then routes, then the shape of errors.
struct Responder: HTTPResponder {
  typealias Context = BasicRequestContext

  let routes: RouteTable
  let guardian: RequestGuard

  func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
    var response: Response
    let path = request.uri.path
    do {
      try guardian.check(request)
      let (route, parameters) = try routes.find(request.method, path)
      response = try await route.answer(Call(request, parameters))
    } catch {
      response = APIFamily(path: path).response(APIError(error))
    }
    PageHeaders.add(to: &response.headers)
    return request.method == .head ? response.createHeadResponse() : response
  }
}
