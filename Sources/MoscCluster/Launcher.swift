import MoscReport

/// The program that started this process among others, as its environment tells.
package struct Launcher: Hashable, Sendable {
  /// The family of libraries that belongs to it.
  package enum Kind: String, Hashable, Sendable {
    case openMPI = "Open MPI"
    case mpich = "MPICH"
    case slurm = "Slurm"
  }

  package let kind: Kind
  /// The processes it says it started; nil where it does not say.
  package let size: Int?
  /// Those of them on this machine.
  package let localSize: Int?
  /// Which of them this is.
  package let rank: Int?

  /// Reads an environment; nil for a process that nobody but a shell started.
  package init?(_ environment: [String: String]) {
    func number(_ names: String...) -> Int? {
      names.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first
    }
    rank = number("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")
    if environment["OMPI_COMM_WORLD_SIZE"] != nil {
      kind = .openMPI
      size = number("OMPI_COMM_WORLD_SIZE")
      localSize = number("OMPI_COMM_WORLD_LOCAL_SIZE")
    } else if environment["PMI_SIZE"] != nil || environment["PMI_RANK"] != nil {
      kind = environment["SLURM_STEP_ID"] == nil ? .mpich : .slurm
      size = number("PMI_SIZE", "SLURM_STEP_NUM_TASKS")
      localSize = number("MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE")
    } else if environment["PMIX_RANK"] != nil || (number("SLURM_STEP_NUM_TASKS") ?? 1) > 1 {
      // A batch script of Slurm is a step of one task, and no reason to look for MPI.
      kind = environment["SLURM_STEP_ID"] == nil ? .openMPI : .slurm
      size = number("SLURM_STEP_NUM_TASKS")
      localSize = number("SLURM_NTASKS_PER_NODE")
    } else {
      return nil
    }
  }

  /// The names of libraries to try, those that fit the launcher first.
  package static func libraries(for kind: Kind?, _ environment: [String: String]) -> [String] {
    if let named = environment["MOSC_MPI_LIBRARY"] { return [named] }
    let openMPI = ["libmpi.so.40"]
    let others = ["libmpi_abi.so.1", "libmpich.so.12", "libmpi.so.12"]
    return kind == .mpich ? others + openMPI : openMPI + others
  }

  /// The command that starts a program on several processes with what this launcher belongs to.
  static func command(_ kind: Kind, processes: Int) -> String {
    switch kind {
    case .openMPI: "mpirun --bind-to none -n \(processes) mosc …"
    case .mpich: "mpiexec.mpich -n \(processes) mosc …"
    case .slurm: "srun --mpi=pmix -n \(processes) mosc …"
    }
  }
}
