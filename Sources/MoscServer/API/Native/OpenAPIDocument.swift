import Foundation
import Hummingbird

/// The description of all routes for programs, OpenAPI 3.1.
enum OpenAPIDocument {
  static let bytes = PackageResources.openapi_json

  static var response: Response { .bytes(Data(bytes), "application/json") }
}
