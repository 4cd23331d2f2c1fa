import Foundation
import MoscDiffusion
import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks

/// What the pictures of plans depend on, as far as processes could differ: files are known by their contents,
/// each of which is read once.
final class PlanFacts {
  private var hashes: [String: String] = [:]

  /// The facts of a plan.
  func of(_ plan: SamplePlan, _ compiler: Compiler) throws -> RunSettings {
    let request = plan.request
    var facts = RunSettings.machine(compiler) + RunSettings.arithmetic(compiler)
    for component in DiffusersModel.Component.allCases {
      let files = try plan.model.files(component).files.map { try large($0.place, request.compiler) }
      facts.append(("\(component) of --model", .string(files.joined(separator: " "))))
    }
    facts += [
      ("the U-Net's configuration", .string(Self.short("\(try plan.model.unet().config)"))),
      ("the noise levels", .string(Self.short("\(plan.schedulerConfig)"))),
      ("adapters", .array(try adapters(plan).map { .string(try small($0)) })),
      ("other files", .array(try Self.files(request).map { .string(try small($0)) })),
      ("regions", .array(plan.regions.map { .string(Self.short($0)) })),
      ("prompts and seeds", .string(Self.short("\(plan.batches)"))),
      ("size", .string("\(plan.width)x\(plan.height)")),
    ]
    return RunSettings(facts)
  }

  private func adapters(_ plan: SamplePlan) -> [String] {
    (plan.model.adapters.adapters + (plan.model.regional?.adapters ?? [])).map(\.declaration.path)
  }

  /// The files of a request beside the model and adapters.
  private static func files(_ request: SampleRequest) -> [String] {
    var files = [request.model.vae, request.model.taesd, request.latentsIn, request.picture.image, request.picture.mask]
      .compactMap { $0 }
    files += request.conditions.flatMap { [$0.adapter, $0.image] } + request.control.nets.flatMap { [$0.net, $0.image] }
    if case .file(let path) = request.hires.upscaler, request.hires.isOn { files.append(path) }
    return files
  }

  /// A small file by name and content; a folder by its name.
  private func small(_ path: String) throws -> String {
    let url = URL(fileURLWithPath: path)
    guard PictureHashes.isFile(url) else { return url.lastPathComponent }
    if let known = hashes[path] { return known }
    let fact = try RunSettings.file(url)
    hashes[path] = fact
    return fact
  }

  /// The hash of a file that may be large, which the cache keeps.
  private func large(_ path: String, _ options: CompilationOptions) throws -> String {
    if let known = hashes[path] { return known }
    let hash = String((try PictureHashes.file(path, options) ?? "").prefix(16))
    hashes[path] = hash
    return hash
  }

  private static func short(_ region: Region) -> String {
    var plain = region
    plain.mask = nil
    let mask = region.mask.map { mask in mask.values.withUnsafeBytes { FileHash.sha256($0) } } ?? ""
    return short("\(plain) \(mask)")
  }

  private static func short(_ text: String) -> String { String(FileHash.sha256(Data(text.utf8)).prefix(16)) }
}
