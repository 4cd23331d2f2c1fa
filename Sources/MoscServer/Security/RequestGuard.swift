import Foundation
import HTTPTypes
import Hummingbird

/// Refuses what web pages of others could make a browser send here.
///
/// A name that a foreign name server points here is not ours (421); a page from elsewhere may load nothing
/// and change nothing (403).
struct RequestGuard: Sendable {
  private let credentials: Credentials
  private let names: Set<String>
  /// Whether any address of the machine is good, as it listens on all.
  private let takesAddresses: Bool

  init(_ options: ServerOptions) throws {
    credentials = try Credentials(options.apiAuth)
    takesAddresses = !LoopbackName.contains(options.listen)
    names = Set(options.allowedHosts.map { Self.host($0.lowercased()) })
  }

  /// - Throws: `APIError` for a request that is not to be answered.
  func check(_ request: Request) throws {
    guard let host = request.head.authority?.lowercased(), isOurs(Self.host(host)) else {
      throw APIError(421, "this server does not go by that name; --allow-host adds one")
    }
    let changes = ![.get, .head].contains(request.method)
    if changes { try checkOrigin(request, host) }
    guard credentials.accept(request.headers[.authorization]) else {
      var error = APIError(401, "Incorrect username or password")
      error.headers[.wwwAuthenticate] = "Basic realm=\"mosc\", charset=\"UTF-8\""
      throw error
    }
    if changes { try checkType(request) }
  }

  private func isOurs(_ host: String) -> Bool {
    LoopbackName.contains(host) || names.contains(host) || takesAddresses && LoopbackName.isAddress(host)
  }

  /// The host of `host:port`.
  private static func host(_ authority: String) -> String {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
    return String(authority.prefix { $0 != ":" })
  }

  private func checkOrigin(_ request: Request, _ host: String) throws {
    let refusal = APIError(403, "requests from other pages are refused")
    // Programs that are no browsers send neither.
    if let origin = request.headers[.origin]?.lowercased() {
      guard let scheme = origin.range(of: "://"), ["http", "https"].contains(origin[..<scheme.lowerBound]) else {
        throw refusal
      }
      let place = String(origin[scheme.upperBound...])
      guard place == host || names.contains(place) else { throw refusal }
    }
    if let site = request.headers[.secFetchSite], !["same-origin", "none"].contains(site.lowercased()) {
      throw refusal
    }
  }

  /// Pages of others may send texts and forms without asking, but not these types.
  private func checkType(_ request: Request) throws {
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    let isChunked = request.headers[.transferEncoding] != nil
    guard length > 0 || isChunked else { return }
    let type = Call(request, [:]).mediaType
    guard type == "application/json" || type == "multipart/form-data" && request.uri.path == "/v1/images/edits" else {
      throw APIError(403, "the body is to be of type application/json, found \(type.map { "'\($0)'" } ?? "none")")
    }
  }
}

/// Headers that keep browsers from doing more with an answer than it is for.
enum PageHeaders {
  static func add(to headers: inout HTTPFields) {
    headers[.contentSecurityPolicy] =
      "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; object-src 'none'; base-uri 'none'; "
      + "form-action 'self'; frame-ancestors 'none'"
    headers[.xContentTypeOptions] = "nosniff"
    headers[.referrerPolicy] = "no-referrer"
    headers[.frameOptions] = "DENY"
    headers[.resourcePolicy] = "same-origin"
    headers[.openerPolicy] = "same-origin"
    if headers[.cacheControl] == nil { headers[.cacheControl] = "no-store" }
  }
}
