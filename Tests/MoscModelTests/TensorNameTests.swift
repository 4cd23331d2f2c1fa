import MoscFormats
import MoscModel
import Testing

/// Names of layers and of the tensors that adapters bring.
@Suite struct TensorNameTests {
  @Test func namesAreReadAsTheyArePrinted() {
    let layer = LayerID(.unet, "mid_block.attentions.0.proj_in")
    let tensors: [(AdapterTensor, String)] = [
      (.factor(layer, .down), "unet.mid_block.attentions.0.proj_in.lora_down"),
      (.factor(LayerID(.textEncoder, "text_model.final"), .up), "text_encoder.text_model.final.lora_up"),
      (.scale(layer), "unet.mid_block.attentions.0.proj_in.scale"), (.tokenRows, "token_rows"),
    ]
    for (tensor, name) in tensors {
      #expect(tensor.name == name)
      #expect(AdapterTensor(name) == tensor)
    }
    #expect(LayerID("\(layer)") == layer && layer.key == "mid_block_attentions_0_proj_in")
  }

  @Test(arguments: ["", "unet", "unet.conv_in", "vae.conv_in.scale", "conv_in.lora_up", "rows.lora_up."])
  func otherNamesAreNone(_ name: String) {
    #expect(AdapterTensor(name) == nil)
  }

  @Test func networksAndParts() {
    for component in DiffusersModel.Component.allCases {
      #expect(component.network?.component == (component == .vae ? nil : component))
    }
    for kind in ComponentKind.allCases {
      #expect(kind.rawValue.hasPrefix(kind.component.rawValue))
    }
  }
}
