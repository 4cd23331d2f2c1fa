import HTTPTypes
import Hummingbird
import MoscFormats
import MoscReport

/// What is wrong with a request, before it takes the shape of one of the APIs.
struct APIError: Error, Sendable {
  var status: Int
  var message: String
  /// The field of the body that is at fault.
  var field: String?
  /// A word for programs.
  var kind: String?
  /// What was found in the field.
  var input: JSONValue?
  var headers: HTTPFields = [:]

  init(_ status: Int, _ message: String, field: String? = nil, kind: String? = nil, input: JSONValue? = nil) {
    (self.status, self.message, self.field, self.kind, self.input) = (status, message, field, kind, input)
  }

  /// There is nothing at the path.
  static let notFound = APIError(404, "Not Found")

  /// A field has a value that it cannot have.
  static func field(_ name: String, _ message: String, kind: String = "value_error", _ input: JSONValue? = nil) -> APIError {
    APIError(422, message, field: name, kind: kind, input: input)
  }

  /// What any error of the work means for whoever asked.
  init(_ error: any Error) {
    switch error {
    case let error as APIError: self = error
    case let error as CommandError where error == .interrupted:
      self.init(503, "the work was cancelled", kind: "cancelled")
    case let error as CommandError: self.init(400, PlainPaths.clean(error.message), kind: "invalid_value")
    case let error as FormatError: self.init(400, PlainPaths.clean("\(error)"), kind: "invalid_value")
    case is CancellationError: self.init(499, "the connection was closed")
    default: self.init(400, PlainPaths.clean("\(error)"), kind: "invalid_value")
    }
  }
}

/// The APIs, whose errors look different.
enum APIFamily: Sendable {
  case webUI, openAI, native

  init(path: String) {
    if ["/sdapi/", "/internal/", "/controlnet/"].contains(where: path.hasPrefix) {
      self = .webUI
    } else {
      self = path.hasPrefix("/v1/") ? .openAI : .native
    }
  }

  /// The error as the API's clients expect it.
  func response(_ error: APIError) -> Response {
    var headers = error.headers
    let body: JSONValue
    switch self {
    case .webUI:
      if let field = error.field, error.status == 422 {
        body = .fields([
          ("detail", .array([
            .fields([
              ("type", .string(error.kind ?? "value_error")),
              ("loc", .array(field == "body" ? [.string(field)] : [.string("body"), .string(field)])),
              ("msg", .string(error.message)), ("input", error.input ?? .null),
            ])
          ]))
        ])
      } else if ["Not Found", "Method Not Allowed"].contains(error.message) {
        body = .fields([("detail", .string(error.message))])
      } else {
        body = .fields([
          ("error", .string("HTTPException")), ("detail", .string(error.message)), ("body", .string("")),
          ("errors", .string("")),
        ])
      }
    case .openAI:
      // The client library sends again what fails otherwise, each time as a new job.
      headers[.shouldRetry] = "false"
      body = .fields([
        ("error", .fields([
          ("message", .string(error.message)),
          ("type", .string(error.status >= 500 ? "server_error" : "invalid_request_error")),
          ("param", error.field.map(JSONValue.string) ?? .null),
          ("code", error.kind.map(JSONValue.string) ?? .null),
        ]))
      ])
    case .native:
      body = .fields([
        ("error", .fields([
          ("message", .string(error.message)), ("field", error.field.map(JSONValue.string) ?? .null),
        ]))
      ])
    }
    // Those clients take any 4xx for a fault of the request, and know 400 by name.
    let status = self == .openAI && error.status == 422 ? 400 : error.status
    return .json(body, HTTPResponse.Status(code: status), headers: headers)
  }
}

extension HTTPField.Name {
  static let shouldRetry = name("x-should-retry")
  static let secFetchSite = name("sec-fetch-site")
  static let referrerPolicy = name("referrer-policy")
  static let frameOptions = name("x-frame-options")
  static let resourcePolicy = name("cross-origin-resource-policy")
  static let openerPolicy = name("cross-origin-opener-policy")
  static let lastEventID = name("last-event-id")

  private static func name(_ text: String) -> HTTPField.Name { HTTPField.Name(text) ?? .server }
}
