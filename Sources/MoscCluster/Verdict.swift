import MoscReport

/// The end that all processes come to when they cannot work together.
package struct Verdict: SharedEnd, Hashable, Sendable, CustomStringConvertible {
  package let status: ExitStatus
  package let isSpeaker: Bool
  package let description: String

  package init(_ status: ExitStatus, isSpeaker: Bool, _ description: String) {
    (self.status, self.isSpeaker, self.description) = (status, isSpeaker, description)
  }
}
