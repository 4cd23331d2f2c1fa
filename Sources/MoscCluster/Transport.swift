/// How bytes get from one process of a job to another: in order between any two of them.
///
/// All calls come from one thread.
package protocol Transport: AnyObject {
  var rank: Int { get }
  var size: Int { get }

  /// Starts to send; the memory must stay until the transfer is done.
  func send(_ bytes: UnsafeRawBufferPointer, to rank: Int, tag: Int32) throws -> any Transfer

  /// Starts to receive as many bytes as the memory has.
  func receive(
    into memory: UnsafeMutableRawBufferPointer, from rank: Int, tag: Int32
  ) throws -> any Transfer

  /// Whether something of a rank can be received.
  func hasMessage(from rank: Int, tag: Int32) throws -> Bool

  /// Ends every process of the job at once.
  func abort(_ status: Int32)

  /// Leaves the job.
  func end()
}

/// A transfer that was started.
package protocol Transfer {
  /// Whether the memory may be used again.
  mutating func isDone() throws -> Bool
}
