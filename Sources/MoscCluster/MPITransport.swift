import CMPI
import MoscReport

/// The processes that an MPI launcher started.
package final class MPITransport: Transport {
  package let rank: Int
  package let size: Int
  /// What the library calls itself, on one line.
  package let library: String

  /// Joins the job of a library that is loaded.
  ///
  /// - Throws: `CommandError.failure` with what the library says.
  package init() throws(CommandError) {
    var (rank, size): (Int32, Int32) = (0, 0)
    try Self.check(mosc_mpi_begin(&rank, &size))
    (self.rank, self.size) = (Int(rank), Int(size))
    library = Self.version
  }

  /// The name and version of the library that is loaded.
  package static var version: String {
    var text = [CChar](repeating: 0, count: 512)
    mosc_mpi_version(&text, text.count)
    let whole = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let line = whole.prefix { $0 != "\n" && $0 != "," }
    return line.split { $0 == " " || $0 == "\t" }.joined(separator: " ").replacing("Version: ", with: "")
  }

  /// The launchers that belong to the library that is loaded.
  package static var kind: Launcher.Kind { mosc_mpi_kind() == MOSC_MPI_OPEN_MPI ? .openMPI : .mpich }

  fileprivate static func check(_ failure: UnsafePointer<CChar>?) throws(CommandError) {
    if let failure { throw CommandError.failure("MPI: \(String(cString: failure))") }
  }

  package func send(
    _ bytes: UnsafeRawBufferPointer, to rank: Int, tag: Int32
  ) throws -> any Transfer {
    let transfer = MPITransfer()
    try Self.check(
      mosc_mpi_send(
        bytes.baseAddress, Int32(bytes.count), Int32(rank), tag, transfer.request))
    return transfer
  }

  package func receive(
    into memory: UnsafeMutableRawBufferPointer, from rank: Int, tag: Int32
  ) throws -> any Transfer {
    let transfer = MPITransfer()
    try Self.check(
      mosc_mpi_receive(
        memory.baseAddress, Int32(memory.count), Int32(rank), tag, transfer.request))
    return transfer
  }

  package func hasMessage(from rank: Int, tag: Int32) throws -> Bool {
    var isThere: Int32 = 0
    try Self.check(mosc_mpi_probe(Int32(rank), tag, &isThere))
    return isThere != 0
  }

  package func abort(_ status: Int32) { mosc_mpi_abort(status) }

  package func end() { mosc_mpi_end() }
}

/// A request of the library, which keeps its address.
private final class MPITransfer: Transfer {
  let request: UnsafeMutablePointer<mosc_mpi_request>

  init() {
    request = .allocate(capacity: 1)
    request.initialize(to: mosc_mpi_request(bits: 0))
  }

  deinit { request.deallocate() }

  func isDone() throws -> Bool {
    var isDone: Int32 = 0
    try MPITransport.check(mosc_mpi_test(request, &isDone))
    return isDone != 0
  }
}
