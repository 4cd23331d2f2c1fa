/// An adapter that a prompt asks for by a tag such as `<lora:name:0.8>`.
package struct LoraTag: Hashable, Sendable {
  package var name: String
  package var textEncoder: Float
  package var unet: Float
  /// What multiplies the strengths block by block, as `lbw=` spells it.
  package var blocks: String?

  package init(name: String, textEncoder: Float, unet: Float, blocks: String? = nil) {
    (self.name, self.textEncoder, self.unet, self.blocks) = (name, textEncoder, unet, blocks)
  }
}
