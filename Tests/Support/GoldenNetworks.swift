import Foundation
import MoscFormats

/// Small networks that follow pictures, made of the tensors that goldens hold.
package enum GoldenNetworks {
  /// The tensors of a ControlNet for the golden model: those of the U-Net's way down times a number, and its own.
  package static func controlNet(_ index: Int) throws -> [String: HostArray] {
    let golden = try SafetensorsFile(Goldens.url("diffusers/control_nets.safetensors"))
    let unet = try SafetensorsFile(Goldens.url("mix-of-show/base/unet/diffusion_pytorch_model.safetensors"))
    let scales = try JSONValue.parse((golden.metadata["scales"] ?? "").utf8, path: "scales").array ?? []
    let scale = Float(scales[index].double ?? 0)
    var result: [String: HostArray] = [:]
    for entry in unet.entries
    where ["conv_in.", "time_embedding.", "down_blocks.", "mid_block."].contains(where: entry.name.hasPrefix) {
      let array = try unet.array(entry.name)
      result[entry.name] = HostArray(array.floats.map { $0 * scale }, shape: array.shape)
    }
    let prefix = "net\(index)."
    for entry in golden.entries where entry.name.hasPrefix(prefix) {
      result[String(entry.name.dropFirst(prefix.count))] = try golden.array(entry.name)
    }
    return result
  }

  /// The tensors of a T2I-Adapter for the golden model.
  package static func t2iAdapter() throws -> [String: HostArray] {
    let golden = try SafetensorsFile(Goldens.url("mix-of-show/adapter.safetensors"))
    var result: [String: HostArray] = [:]
    for entry in golden.entries where entry.name.hasPrefix("w.") {
      result[String(entry.name.dropFirst(2))] = try golden.array(entry.name)
    }
    return result
  }

  /// Writes tensors as a file.
  package static func write(_ tensors: [String: HostArray], to url: URL) throws {
    try SafetensorsFile.write(tensors.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, metadata: [:], to: url)
  }
}
