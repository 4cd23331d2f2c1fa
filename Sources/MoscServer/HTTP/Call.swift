import Foundation
import HTTPTypes
import Hummingbird
import MoscFormats
import NIOCore

/// A request on its way through a route.
struct Call: Sendable {
  let request: Request
  /// What stood in the place of the path's `{name}`s.
  let parameters: [String: String]

  /// The largest body that is taken.
  static let mostBytes = 64 << 20
  /// How long a body may take to arrive.
  static let bodySeconds = 60

  init(_ request: Request, _ parameters: [String: String]) {
    (self.request, self.parameters) = (request, parameters)
  }

  /// The value of a query's field.
  func query(_ name: String) -> String? {
    request.uri.queryParameters[Substring(name)].map(String.init)
  }

  /// The whole body.
  ///
  /// - Throws: `APIError` for one that is too large or does not arrive.
  func data(_ body: RequestBody? = nil) async throws -> Data {
    let body = body ?? request.body
    if let text = request.headers[.contentLength], let length = Int(text), length > Self.mostBytes {
      throw APIError(413, "the body has \(length) bytes, at most \(Self.mostBytes) are taken")
    }
    return try await withThrowingTaskGroup(of: Data?.self) { group in
      group.addTask {
        var data = Data()
        for try await part in body {
          data.append(contentsOf: part.readableBytesView)
          if data.count > Self.mostBytes {
            throw APIError(413, "the body has more than the \(Self.mostBytes) bytes that are taken")
          }
        }
        return data
      }
      group.addTask {
        try await Task.sleep(for: .seconds(Self.bodySeconds))
        return nil
      }
      defer { group.cancelAll() }
      guard let data = try await group.next() ?? nil else {
        throw APIError(408, "the body did not arrive within \(Self.bodySeconds) s")
      }
      return data
    }
  }

  /// The body as a JSON object; an empty body is an empty one.
  func json(_ body: RequestBody? = nil) async throws -> JSONFields {
    let data = try await data(body)
    if data.isEmpty { return JSONFields([]) }
    let value: JSONValue
    do {
      value = try JSONValue.parse(data, path: "the body")
    } catch {
      throw APIError(422, "\(error)", field: "body", kind: "json_invalid")
    }
    guard let members = value.members else {
      throw APIError(
        422, "expected an object, found \(value.kindName)", field: "body", kind: "model_attributes_type")
    }
    return JSONFields(members)
  }

  /// The media type of the body, without its parameters.
  var mediaType: String? {
    request.headers[.contentType].map {
      String($0.prefix { $0 != ";" }).trimmingCharacters(in: .whitespaces).lowercased()
    }
  }
}

extension Response {
  /// JSON as the body.
  static func json(
    _ value: JSONValue, _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    .bytes(Data(value.description.utf8), "application/json", status, headers: headers)
  }

  /// The same, saying that the connection ends with it, as it does where its end was watched.
  var closing: Response {
    var copy = self
    copy.headers[.connection] = "close"
    return copy
  }

  /// Bytes as the body.
  static func bytes(
    _ data: Data, _ type: String, _ status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) -> Response {
    var headers = headers
    headers[.contentType] = type
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
  }
}
