import Foundation
import MoscFormats
import MoscFuse
import MoscNetworks

/// The fields of a request to fuse concepts.
enum FuseFields {
  static func submit(_ fields: JSONFields, _ services: Services) async throws -> Job {
    let name = try ConceptName.check(fields)
    let concepts = try fields.array("concepts") ?? []
    guard (1...32).contains(concepts.count) else { throw APIError.field("concepts", "expected 1 to 32 concepts") }
    let order = try await Offload.run { () throws -> FuseOrder in
      var request = FuseRequest()
      request.model = services.options.model
      request.model.path = try services.catalog.find(fields.string("model") ?? services.settings.model).path
      request.model.adapters = .init()
      request.compiler = services.options.compiler
      request.output = ConceptName.place(name, services).path
      request.inputs = try concepts.enumerated().map { index, value in
        guard let members = value.members, let file = try JSONFields(members).string("name") else {
          throw APIError.field("concepts", "entry \(index): expected an object with a name")
        }
        let concept = JSONFields(members)
        var adapter = try AdapterFiles.find(file, in: services.catalog.loraFolder.path)
        let strength = try concept.double("strength", in: -10...10) ?? 1
        adapter.textEncoder = Float(try concept.double("text_encoder", in: -10...10) ?? strength)
        adapter.unet = Float(try concept.double("unet", in: -10...10) ?? strength)
        return .concept(adapter)
      }
      request.steps = try fields.int("steps", in: Limits.steps) ?? request.steps
      request.refineSteps = try fields.int("refine", in: 0...100_000)
      request.size = try fields.int("size", in: Limits.side)
      // The job knows the place.
      request.sheet = try fields.bool("sheet") == true ? "sheet.png" : nil
      try request.check()
      return FuseOrder(request: request, name: name)
    }
    return try services.queue.submit(.fuse(order), request: .object(fields.members))
  }
}
