import Foundation
import MoscEngine
import MoscFormats
import MoscIR
import MoscModel
import MoscNetworks
import MoscReport
import RunSupport
import TestSupport
import Testing

/// What is packed with an adapter is kept on disk from the second run on.
@Suite struct KeptAdapterTests {
  @Test func fromTheSecondRunOn() throws {
    let scratch = Scratch()
    let cache = PackedWeights(folder: scratch.url.appending(path: "weights"))
    var options = CompilationOptions()
    options.usesCache = false
    let compiler = try Compiler(options, precision: .f32, .silent)
    func identities(_ strength: Float) throws -> [String?] {
      var model = ModelOptions(path: GoldenFile.model)
      let file = Goldens.url("diffusers/lora_kohya.safetensors").path
      model.adapters.files = [AdapterRequest(path: file, textEncoder: strength, unet: strength)]
      let components = try ModelComponents(model, compiler)
      let source = try components.model.program(.unet(UNet.Shape(height: 8, width: 8)))
      let weights = WeightFiles(source).remembered(by: cache)
      let graph = source.function
      let params = graph.order.compactMap { id -> Param? in
        guard case .param(let param) = graph[id].op else { return nil }
        return param
      }
      let adapted = params.filter { $0.source.hasPrefix("adapter") }
      #expect(adapted.count > 100)
      // The model's own weights are named at once.
      let own = params.filter { !$0.source.hasPrefix("adapter") }
      #expect(own.allSatisfy { weights.identity(of: $0) != nil })
      return adapted.map { weights.identity(of: $0) }
    }
    #expect(try identities(0.8).allSatisfy { $0 == nil })
    let second = try identities(0.8)
    #expect(second.allSatisfy { $0 != nil })
    #expect(try identities(0.8) == second)
    #expect(try identities(0.7).allSatisfy { $0 == nil })
    #expect(try identities(0.7) != second)
  }
}
