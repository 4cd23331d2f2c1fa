import Foundation
import MoscFormats
import MoscIR
import MoscModel
import Testing

/// Every tensor is used or explained, and errors say which is not.
@Suite struct WeightTableTests {
  let encoder: TextEncoder
  /// The tensors that the encoder asks for.
  let complete: [String: StoredTensor]
  private let requests: WeightRequests

  init() throws {
    encoder = TextEncoder(
      try TextEncoderConfig(
        reader(
          """
          {"vocab_size": 10, "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 1,
           "num_attention_heads": 2, "max_position_embeddings": 5}
          """)))
    var recording = NetworkWeights(recording: "text_encoder")
    _ = try encoder.graph(TextEncoder.Shape(), &recording)
    requests = recording.requests
    complete = requests.shapes.mapValues {
      StoredTensor(dtype: .f32, shape: $0, source: "text_encoder")
    }
  }

  @discardableResult
  private func load(_ tensors: [String: StoredTensor]) throws -> Graph {
    let table = WeightTable(
      tensors,
      declarations: [WeightsDeclaration(name: "text_encoder", path: "dir/model.safetensors")],
      spellings: TextEncoder.spellings, explained: TextEncoder.explained)
    try table.check(requests)
    var weights = NetworkWeights(table)
    return try encoder.graph(TextEncoder.Shape(), &weights)
  }

  @Test func missing() {
    var tensors = complete
    let name = "text_model.encoder.layers.0.mlp.fc1.weight"
    tensors["text_model.encoder.layers.0.mlp.fc_1.weight"] = tensors.removeValue(forKey: name)
    let text = message { try load(tensors) }
    #expect(
      text.contains(
        "dir/model.safetensors: no tensor '\(name)', expected with shape [8, 4]; the nearest unread "
          + "name is 'text_model.encoder.layers.0.mlp.fc_1.weight', F32[8, 4] [weights.missing]"))
  }

  @Test func misshaped() {
    var tensors = complete
    tensors["text_model.embeddings.token_embedding.weight"]?.shape = [11, 4]
    let text = message { try load(tensors) }
    #expect(
      text.contains(
        "dir/model.safetensors: tensor 'text_model.embeddings.token_embedding.weight' has shape "
          + "[11, 4], expected [10, 4] [weights.shape]"))
  }

  @Test func wrongType() {
    var tensors = complete
    tensors["text_model.final_layer_norm.bias"]?.dtype = .f64
    let text = message { try load(tensors) }
    #expect(
      text.contains("'text_model.final_layer_norm.bias' is F64, expected F32, F16 or BF16"))
  }

  @Test func unused() {
    var tensors = complete
    let extra = StoredTensor(dtype: .f32, shape: [4], source: "text_encoder")
    tensors["text_model.encoder.layers.1.layer_norm1.bias"] = extra
    tensors["zzz"] = extra
    let text = message { try load(tensors) }
    #expect(text.contains("2 of 22 tensors do not belong to the network that the config describes"))
    #expect(text.contains("dir/model.safetensors"))
    #expect(
      text.contains(
        "'text_model.encoder.layers.1.layer_norm1.bias': the nearest expected name is "
          + "'text_model.encoder.layers.0.layer_norm1.bias'"))
    #expect(text.contains("'zzz': no expected name is near"))
  }

  /// Position ids and the projection may be there; half precision is widened.
  @Test func explainedAndHalf() throws {
    var tensors = complete.mapValues { tensor in
      StoredTensor(dtype: .bf16, shape: tensor.shape, source: tensor.source)
    }
    tensors["text_model.embeddings.position_ids"] = StoredTensor(
      dtype: .i64, shape: [1, 5], source: "text_encoder")
    let graph = try load(tensors)
    let casts = graph.order.filter { if case .cast = graph[$0].op { true } else { false } }
    #expect(casts.count == complete.count)
    #expect(graph.values.contains { $0.type == TensorType(.bf16, [10, 4]) })
  }

  /// Names without `text_model.` mean the same tensors, the position ids included.
  @Test func namesWithoutPrefix() throws {
    var tensors: [String: StoredTensor] = [:]
    for (name, tensor) in complete {
      tensors[name.replacingOccurrences(of: "text_model.", with: "")] = tensor
    }
    tensors["embeddings.position_ids"] = StoredTensor(
      dtype: .i64, shape: [1, 5], source: "text_encoder")
    let graph = try load(tensors)
    #expect(graph.value(named: "text_model.encoder.layers.0") != nil)
  }

  /// Old autoencoder files: other names, and 1×1 convolutions for linear maps.
  @Test func oldAttentionNames() throws {
    var recording = NetworkWeights(recording: "vae")
    var b = ModelBuilder("block", recording)
    let x = b.graph.parameter("x", .f32(1, 2, 2, 4))
    let block = PixelAttention(groups: 2, eps: 1e-6)
    let path = "decoder.mid_block.attentions.0"
    _ = try block(x, path, in: &b)
    recording = b.weights
    var tensors: [String: StoredTensor] = [:]
    for (name, shape) in recording.requests.shapes {
      let old =
        name.replacingOccurrences(of: "to_q", with: "query")
        .replacingOccurrences(of: "to_k", with: "key")
        .replacingOccurrences(of: "to_v", with: "value")
        .replacingOccurrences(of: "to_out.0", with: "proj_attn")
      tensors[old] = StoredTensor(
        dtype: .f16, shape: shape.count == 2 ? shape + [1, 1] : shape, source: "vae")
    }
    #expect(tensors["\(path).proj_attn.weight"]?.shape == [4, 4, 1, 1])
    let table = WeightTable(
      tensors, declarations: [WeightsDeclaration(name: "vae", path: "vae.safetensors")],
      spellings: VAE.spellings)
    b = ModelBuilder("block", NetworkWeights(table))
    let y = try block(b.graph.parameter("x", .f32(1, 2, 2, 4)), path, in: &b)
    #expect(b.type(y) == .f32(1, 2, 2, 4))
    let weight = try #require(b.graph.value(named: "\(path).to_out.0.weight"))
    #expect(b.type(weight) == .f32(4, 4))
    try table.check(recording.requests)
  }
}
