import MoscEngine
import MoscFormats
import MoscModel
import MoscNetworks
import MoscReport

/// The U-Net in one shape: a program of whole steps and, with reuse, one of shallow steps over the same
/// packed weights, which reads what whole ones leave of their deep features.
package final class UNetSteps {
  package let shape: UNet.Shape
  private let whole: Program
  private let shallow: Program?
  private let reuse: StepReuseOptions
  /// The call after the last one, if its deep features, or those it took, still hold.
  private var next: Int?
  /// What the last call measured of regions.
  private(set) var maps: [String: HostArray] = [:]
  /// How many steps were shallow.
  package private(set) var shallowCount = 0

  /// - Parameter other: steps of another shape, whose packed weights serve these, too.
  package init(
    _ shape: UNet.Shape, _ components: ModelComponents, reuse: StepReuseOptions = StepReuseOptions(),
    sharing other: UNetSteps? = nil
  ) throws {
    self.shape = shape
    self.reuse = reuse
    guard reuse.isOn else {
      whole = try components.program(.unet(shape), sharing: other?.whole)
      shallow = nil
      return
    }
    func function(isShallow: Bool) -> ModelFunction {
      var result = shape
      result.reuse = UNet.Reuse(depth: reuse.depth, isShallow: isShallow)
      return .unet(result)
    }
    let whole = try components.program(function(isShallow: false), sharing: other?.whole)
    // Shallow steps read the feature where whole ones leave it.
    whole.keptResults = [UNet.Reuse.feature]
    self.whole = whole
    shallow = try components.program(function(isShallow: true), sharing: whole)
  }

  /// The names of all inputs.
  package var inputNames: Set<String> { Set(whole.inputTypes.keys) }

  package var isProfiling: Bool {
    get { whole.isProfiling }
    set {
      whole.isProfiling = newValue
      shallow?.isProfiling = newValue
    }
  }

  /// The programs with their names.
  package var programs: [(name: String, program: Program)] {
    [("U-Net", whole)] + (shallow.map { [("shallow steps of the U-Net", $0)] } ?? [])
  }

  /// Gives inputs that stay until they are given again; with others than before no feature holds.
  package func set(_ inputs: [String: HostArray]) throws {
    next = nil
    try whole.set(inputs)
    try shallow?.set(inputs, besides: whole)
  }

  /// The predictions of a call of the model: `[n,h,w,c]`.
  ///
  /// - Parameter call: its number in the run, from 0.
  package func run(_ inputs: [String: HostArray], call: Int) throws -> HostArray {
    let results: [String: HostArray]
    if let shallow, call == next, !reuse.isWhole(call) {
      try shallow.set(inputs, besides: whole)
      results = try shallow.run()
      shallowCount += 1
    } else {
      results = try whole.run(inputs)
    }
    next = call + 1
    maps = results.filter { UNet.isRegionMeasure($0.key) }
    guard let output = results["noise_pred"] else {
      throw CommandError.failure("the U-Net gave no 'noise_pred'")
    }
    return output
  }
}

extension Program {
  /// Gives those inputs that the program takes, of another's.
  fileprivate func set(_ inputs: [String: HostArray], besides other: Program) throws {
    let own = inputTypes
    let unknown = inputs.keys.filter { own[$0] == nil && other.inputTypes[$0] == nil }
    // An input that neither takes is an error, which set says.
    try set(inputs.filter { own[$0.key] != nil || unknown.contains($0.key) })
  }
}
