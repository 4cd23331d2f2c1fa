import MoscDiffusion
import Testing

/// Words of letters are whole words; those in brackets are found wherever they stand.
@Suite struct PromptWordTests {
  @Test(arguments: [
    ("dog", "a dog, two dogs, hotdog, dog2, (dog)", "a X, two dogs, hotdog, dog2, (X)"),
    ("dog", "dog", "X"), ("dog", "a cat", "a cat"), ("éa", "éa éab", "X éab"),
    ("<d1>", "a<d1>b <d1>", "aXb X"), ("my dog", "my dog my dogs", "X my dogs"),
    ("dog", "DOG, embedding:dog, dog_1", "X, X, dog_1"),
  ])
  func places(_ word: String, _ prompt: String, _ result: String) {
    #expect(PromptWord.replace(word, in: prompt, with: "X") == result)
    #expect(PromptWord.occurs(word, in: prompt) == (prompt != result))
  }
}
