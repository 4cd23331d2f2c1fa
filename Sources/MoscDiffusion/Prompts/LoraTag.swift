/// An adapter that a prompt asks for by a tag such as `<lora:name:0.8>`.
package struct LoraTag: Hashable, Sendable {
  package var name: String
  package var textEncoder: Float
  package var unet: Float

  package init(name: String, textEncoder: Float, unet: Float) {
    self.name = name
    self.textEncoder = textEncoder
    self.unet = unet
  }
}
