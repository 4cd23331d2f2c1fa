import Foundation
import MoscFormats
import MoscImages
import MoscNetworks
import MoscReport
import MoscTrain

/// The fields of a request to teach a concept.
enum TeachFields {
  private static let mostPictures = 100

  static func submit(_ fields: JSONFields, _ services: Services) async throws -> Job {
    let name = try ConceptName.check(fields)
    let resumes = try fields.bool("resume") ?? false
    let pictures = try fields.array("pictures") ?? []
    guard pictures.count <= mostPictures else {
      throw APIError.field("pictures", "\(pictures.count) pictures, at most \(mostPictures) are taken")
    }
    let data = services.store.root.appending(path: "teaching").appending(path: name)
    let order = try await Offload.run { () throws -> TeachOrder in
      if !pictures.isEmpty {
        try write(pictures, to: data)
      } else if !FileManager.default.fileExists(atPath: data.path) {
        throw APIError.field("pictures", "expected pictures of the concept")
      }
      let request = try request(fields, name: name, data: data, resumes: resumes, services)
      // Everything that is wrong with data and settings is told at once.
      _ = try TrainJob(request, .silent)
      return TeachOrder(request: request, name: name, pictures: pictures.count)
    }
    let echo = fields.members.filter { $0.key != "pictures" } + [.init("picture_count", .int(pictures.count))]
    return try services.queue.submit(.teach(order), request: .object(echo))
  }

  private static func request(
    _ fields: JSONFields, name: String, data: URL, resumes: Bool, _ services: Services
  ) throws -> TrainRequest {
    var request = TrainRequest(output: ConceptName.place(name, services).path)
    request.model = services.options.model
    request.model.path = try services.catalog.find(fields.string("model") ?? services.settings.model).path
    request.model.adapters = .init()
    request.compiler = services.options.compiler
    request.data = data.path
    request.concept = try fields.string("concept") ?? "<\(name)1> <\(name)2>"
    request.start = try fields.string("init")
    request.steps = try fields.int("steps", in: 1...1_000_000)
    request.rank = try fields.int("rank", in: 1...128)
    request.batchSize = try fields.int("batch_size", in: 1...64)
    request.seed = try fields.int("seed", in: 0...Int.max).map { UInt64($0) }
    request.previewInterval = try fields.int("preview_every", in: 1...1_000_000)
    request.previewPrompts = try fields.strings("preview_prompts") ?? []
    request.resumes = resumes
    request.overwrites = try !resumes && fields.bool("overwrite") ?? false
    return request
  }

  /// Writes pictures, decoded and encoded anew, with their captions and masks.
  private static func write(_ pictures: [JSONValue], to folder: URL) throws {
    for name in ["images", "captions", "masks"] {
      let part = folder.appending(path: name)
      if FileManager.default.fileExists(atPath: part.path) { try FileManager.default.removeItem(at: part) }
    }
    let hasMasks = pictures.contains { $0["mask"] != nil }
    for name in ["images", "captions"] + (hasMasks ? ["masks"] : []) { try makeFolder(folder.appending(path: name)) }
    for (index, value) in pictures.enumerated() {
      let place = "pictures[\(index)]"
      guard let members = value.members else { throw APIError.field("pictures", "\(place): expected an object") }
      let picture = JSONFields(members)
      guard let text = try picture.string("image") else { throw APIError.field("pictures", "\(place): expected an image") }
      let stem = String(format: "%03d", index)
      let image = try UploadedPicture.image(text, field: "\(place).image")
      try PNG.write(image.rgb, to: folder.appending(path: "images/\(stem).png"))
      let caption = try picture.string("caption") ?? ConceptPlaceholder.text
      try AtomicFile.write(Data(caption.utf8), to: folder.appending(path: "captions/\(stem).txt"))
      if let mask = try picture.string("mask") {
        let mask = try UploadedPicture.image(mask, field: "\(place).mask")
        try PNG.write(mask.gray, to: folder.appending(path: "masks/\(stem).png"))
      }
    }
  }
}
