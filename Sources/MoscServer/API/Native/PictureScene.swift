import Foundation
import MoscDiffusion
import MoscFormats
import MoscRandom
import MoscReport
import MoscSample

/// The fields of a request to draw, read out of a picture.
enum PictureScene {
  static func json(_ data: Data, _ services: Services) throws -> JSONValue {
    let settings = try PictureSettings(data, path: "the picture")
    let request = settings.request
    var prompt = request.prompt
    for adapter in settings.adapterTags where !prompt.contains("<lora:\(adapter.name):") { prompt += adapter.tag }
    var remarks = settings.remarks
    var model: JSONValue = .string(ModelCatalog.embedded)
    if let name = settings.model {
      do {
        model = .string(try services.catalog.find(name).id)
      } catch {
        remarks.append("the model '\(name)' is not here: the chosen one is taken")
        model = .null
      }
    }
    func number(_ value: Int?) -> JSONValue { value.map(JSONValue.int) ?? .null }
    var fields: [(String, JSONValue)] = [
      ("model", model), ("prompt", .string(prompt)), ("negative_prompt", .string(request.negativePrompt)),
      ("steps", .int(request.steps)), ("cfg_scale", request.guidance.map(JSONValue.double) ?? .null),
      ("seed", .string(request.seeds.map(String.init).first ?? "-1")), ("width", number(request.width)),
      ("height", number(request.height)), ("sampler", .string(request.sampler.sampler.rawValue)),
      ("scheduler", (request.levels ?? request.sampler.levels)?.title.map(JSONValue.string) ?? .null),
      ("clip_skip", .int(request.clipSkip)), ("rng", .string(request.randomSource.rawValue)),
      ("regions", .array(request.regions.items)),
    ]
    fields += LargePictureFields.json(request)
    return .fields([
      ("origin", .string(settings.origin)), ("scene", .fields(fields)),
      ("remarks", .array(remarks.map(JSONValue.string))),
    ])
  }
}
