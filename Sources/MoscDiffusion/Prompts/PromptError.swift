/// What is wrong with a prompt, a region or a scene, in one sentence.
package struct PromptError: Error, Hashable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) { self.description = description }
}
