/// What `mosc run` runs.
package enum RunTarget: Hashable, Sendable {
  case program(ProgramSource)
  case procedure(Procedure)

  /// Work on recorded tensors that is more than one program.
  package enum Procedure: String, CaseIterable, Hashable, Sendable {
    case t2iAdapter = "t2i_adapter"
    case trainStep = "train_step"
    case fuseLayer = "fuse_layer"
    case scheduler
    case prompts
  }

  /// Reads the name of a component, procedure or file; nil for anything else.
  package init?(spelling: String) {
    if let procedure = Procedure(rawValue: spelling) {
      self = .procedure(procedure)
    } else if let program = ProgramSource(spelling: spelling) {
      self = .program(program)
    } else {
      return nil
    }
  }

  /// What can be given.
  package static var spellings: [String] {
    Procedure.allCases.map(\.rawValue) + ProgramSource.spellings
  }
}
