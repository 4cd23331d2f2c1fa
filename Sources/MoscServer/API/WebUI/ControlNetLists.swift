import Hummingbird
import MoscFormats
import MoscReport
import MoscSample

/// What clients ask for to fill the menus of ControlNet units, and by which they know that there are any.
struct ControlNetLists: Sendable {
  let services: Services

  init(_ services: Services) { self.services = services }

  var routes: [Route] {
    [
      Route(.get, "/controlnet/model_list") { _ in
        .json(.fields([("model_list", .array(try await self.models()))]))
      },
      Route(.get, "/controlnet/module_list") { _ in Self.modules() },
      Route(.get, "/controlnet/control_types") { _ in
        let all: JSONValue = .fields([
          ("module_list", Self.moduleNames), ("model_list", .array([.string("None")] + (try await self.models()))),
          ("default_option", .string("none")), ("default_model", .string("None")),
        ])
        return .json(.fields([("control_types", .fields([("All", all)]))]))
      },
    ]
  }

  private func models() async throws -> [JSONValue] {
    let catalog = services.catalog
    return try await Offload.run { try catalog.conditionNetworks().map { .string($0.name) } }
  }

  private static var moduleNames: JSONValue { .array(ControlNetScript.modules.map { .string($0.name) }) }

  private static func modules() -> Response {
    let details = ControlNetScript.modules.map { module -> (String, JSONValue) in
      var sliders: [JSONValue] = []
      if case .canny(let low, let high) = module.preprocessor {
        // The first two numbers of units are told by their places.
        sliders = [("Preprocessor Resolution", 512, 64, 2048), ("Canny Low Threshold", low, 1, 255), ("Canny High Threshold", high, 1, 255)]
          .map { name, value, least, most in
            .fields([
              ("name", .string(name)), ("value", .int(value)), ("min", .int(least)), ("max", .int(most)), ("step", .int(1)),
            ])
          }
      }
      return (module.name, .fields([("model_free", .bool(false)), ("sliders", .array(sliders))]))
    }
    return .json(.fields([("module_list", moduleNames), ("module_detail", .fields(details))]))
  }
}
