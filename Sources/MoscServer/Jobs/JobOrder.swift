import MoscDiffusion
import MoscFormats
import MoscFuse
import MoscSample
import MoscTrain

/// What a job does.
enum JobKind: String, CaseIterable, Sendable {
  case draw, teach, fuse
}

/// Pictures to draw.
struct DrawOrder: Sendable {
  /// The checked request, with its model open.
  var plan: SamplePlan
  /// Steps between previews; 0 for none.
  var previewInterval = 0
}

/// A concept to teach.
struct TeachOrder: Sendable {
  var request: TrainRequest
  /// The concept's name, which its file has.
  var name: String
  var pictures: Int
}

/// Concepts to fuse.
struct FuseOrder: Sendable {
  var request: FuseRequest
  var name: String
}

/// The work of a job with everything that it needs.
enum JobOrder: Sendable {
  case draw(DrawOrder)
  case teach(TeachOrder)
  case fuse(FuseOrder)

  var kind: JobKind {
    switch self {
    case .draw: .draw
    case .teach: .teach
    case .fuse: .fuse
    }
  }
}
