import Foundation
import Hummingbird
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscReport
import MoscSample

/// What `txt2img` answers: the pictures, what was asked for, and everything about them as a JSON text.
struct WebUIResponse: Sendable {
  private let asked: WebUIRequest
  private let plan: SamplePlan
  private let job: Job
  private let services: Services

  init(_ asked: WebUIRequest, _ plan: SamplePlan, _ job: Job, _ services: Services) {
    (self.asked, self.plan, self.job, self.services) = (asked, plan, job, services)
  }

  func response() async throws -> Response {
    let state = job.current
    // Who interrupts gets what there is.
    if state.status == .failed { throw APIError(500, state.error ?? "the job failed") }
    let (store, pictures) = (services.store, state.pictures)
    let images: [JSONValue] = asked.sendsImages
      ? try await Offload.run {
        try pictures.compactMap { picture in try store.picture(picture.id).map { .string($0.base64EncodedString()) } }
      } : []
    return .json(
      .fields([("images", .array(images)), ("parameters", asked.echo), ("info", .string(info(state).description))]))
  }

  private func info(_ state: JobState) -> JSONValue {
    let request = asked.request
    let drawn = Set(state.pictures.map(\.seed))
    let all = plan.batches.joined().filter { drawn.isEmpty || drawn.contains($0.seed) }
    let first = all.first
    func texts(_ list: [String]) -> JSONValue { .array(list.map(JSONValue.string)) }
    let seeds = all.map { JSONValue.number($0.seed) }
    let (prompts, negatives) = (all.map(\.prompt), all.map(\.negative))
    let hash = services.catalog.hash(asked.model)
    let strength: JSONValue = plan.picture.map { .double($0.strength) } ?? .null
    let what: [(String, JSONValue)] = [
      ("prompt", .string(first?.prompt ?? request.prompt)), ("all_prompts", texts(prompts)),
      ("negative_prompt", .string(first?.negative ?? request.negativePrompt)), ("all_negative_prompts", texts(negatives)),
      ("seed", seeds.first ?? .number(request.seeds[0])), ("all_seeds", .array(seeds)),
    ]
    let model: [(String, JSONValue)] = [
      // Nothing is varied by a second seed.
      ("subseed", seeds.first ?? .number(request.seeds[0])), ("all_subseeds", .array(seeds)), ("subseed_strength", .int(0)),
      ("width", .int(plan.width)), ("height", .int(plan.height)),
      ("sampler_name", .string(plan.sampler.rawValue)), ("cfg_scale", .double(plan.guidance)),
      ("steps", .int(request.steps)), ("batch_size", .int(request.batchSize)), ("restore_faces", .bool(false)),
      ("face_restoration_model", .null), ("sd_model_name", .string(asked.model.stem)),
      ("sd_model_hash", .string(hash.map { String($0.prefix(10)) } ?? "")), ("sd_vae_name", .null),
      ("sd_vae_hash", .null), ("seed_resize_from_w", .int(-1)), ("seed_resize_from_h", .int(-1)),
      ("denoising_strength", strength), ("extra_generation_params", .fields(asked.extra)),
      ("index_of_first_image", .int(0)), ("infotexts", texts(state.pictures.map(\.parameters))),
      ("styles", .array([])), ("job_timestamp", .string(String(job.id.prefix(15).filter { $0 != "-" }))),
      ("clip_skip", .int(request.clipSkip)), ("is_using_inpainting_conditioning", .bool(false)),
      ("version", .string("mosc \(Version.number)")),
    ]
    return .fields(what + model)
  }
}

extension JSONValue {
  /// A seed as a number; the largest only JSON's doubles hold.
  fileprivate static func number(_ seed: UInt64) -> JSONValue {
    Int(exactly: seed).map(JSONValue.int) ?? .double(Double(seed))
  }
}
