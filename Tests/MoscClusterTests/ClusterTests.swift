import Foundation
import MoscCluster
import MoscReport
import RunSupport
import Testing

/// What processes tell each other, with threads in their place.
@Suite struct ClusterTests {
  @Test(arguments: [1, 2, 3, 4]) func everybodyGetsEveryPartInOrder(size: Int) throws {
    let results = LocalTransport.run(size) { cluster in
      let parts = (0..<6).map {
        Cluster.Part(MessageLabel(.gradient, 3, part: $0), owner: cluster.owner($0))
      }
      let own = (0..<6).filter { cluster.owner($0) == cluster.rank }.map { [UInt8](repeating: UInt8($0), count: $0 * 100) }
      return try cluster.exchange(parts, own)
    }
    let expected = (0..<6).map { [UInt8](repeating: UInt8($0), count: $0 * 100) }
    #expect(results.count == size)
    for result in results { #expect(try result.get() == expected) }
  }

  @Test func theFirstOnesMessageReachesAllAndAllReachTheFirst() throws {
    let results = LocalTransport.run(3) { cluster in
      let told = try cluster.broadcast(MessageLabel(.state), cluster.isFirst ? [1, 2] : [])
      try cluster.meet(MessageLabel(.end, 1))
      return (told, try cluster.gather(MessageLabel(.facts), [UInt8(cluster.rank)]))
    }
    for (rank, result) in results.enumerated() {
      let (told, gathered) = try result.get()
      #expect(told == [1, 2])
      #expect(gathered == (rank == 0 ? [[0], [1], [2]] : []))
    }
  }

  @Test func processesThatDoOtherThingsFindOut() {
    var patience = Patience()
    (patience.warning, patience.limit) = (0.05, 0.1)
    let results = LocalTransport.run(2, patience) { cluster in
      try cluster.broadcast(MessageLabel(.state, cluster.rank), [])
    }
    #expect {
      try results[1].get()
    } throws: {
      "\($0)".contains("rank 0 sent state 0, part 0, expected state 1, part 0")
    }
  }

  @Test func aProcessThatIsLateIsNamed() {
    var patience = Patience()
    (patience.warning, patience.limit) = (0.02, 0.05)
    let results = LocalTransport.run(2, patience) { cluster in
      if cluster.rank == 1 { return }
      _ = try cluster.receive(MessageLabel(.picture, 4), from: 1)
    }
    #expect {
      try results[0].get()
    } throws: {
      "\($0)".contains("for rank 1 (picture 4, part 0): given up, see --mpi-timeout")
    }
  }

  @Test func differencesAreReportedByOneAndEndAll() {
    let results = LocalTransport.run(3) { cluster in
      try cluster.agree(cluster.rank == 2 ? "b" : "a") { first in
        let own = cluster.rank == 2 ? "b" : "a"
        return own == first ? [] : ["is \(own), not \(first)"]
      }
    }
    for (rank, result) in results.enumerated() {
      #expect {
        try result.get()
      } throws: { error in
        guard let verdict = error as? Verdict else { return false }
        return verdict.isSpeaker == (rank == 0) && verdict.description.contains("rank 2 on ")
          && verdict.description.hasSuffix("is b, not a")
      }
    }
  }

  @Test func launchersAreRecognised() {
    #expect(Launcher(["PATH": "/bin"]) == nil)
    // A batch script of Slurm, before it starts anything.
    #expect(Launcher(["SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"]) == nil)
    let openMPI = Launcher(["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"])
    #expect(openMPI?.kind == .openMPI && openMPI?.size == 4 && openMPI?.localSize == 2)
    #expect(Launcher(["PMI_SIZE": "3", "PMI_RANK": "1"])?.kind == .mpich)
    #expect(Launcher(["SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_ID": "0"])?.kind == .slurm)
    #expect(Launcher.libraries(for: .mpich, [:]).first == "libmpi_abi.so.1")
    #expect(Launcher.libraries(for: .openMPI, [:]).first == "libmpi.so.40")
    #expect(Launcher.libraries(for: nil, ["MOSC_MPI_LIBRARY": "x.so"]) == ["x.so"])
  }
}
