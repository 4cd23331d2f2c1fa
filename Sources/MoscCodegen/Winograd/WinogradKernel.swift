import MoscIR
import MoscLLVM

/// The products of a Winograd convolution, every number static.
///
/// For each of the (m+2)² points ξ a matrix product `s[ξ, t, o] = Σ_i v[ξ, t, i] · u[ξ, i, o]` of
/// tiles t, then `Aᵀ s A` per tile. v is dense `[points, tiles, channels]`; filters are packed in
/// panels, with a tap per point or as they are. In q8 each point of a tile and each point of a
/// filter has a scale, so that sums become numbers before they are transformed back.
package struct WinogradSpec {
  package let transform: WinogradTransform
  /// Images, rows and columns of the result.
  package let image: [Int]
  /// Whether filters come as 3×3 taps, to be transformed a depth block at a time.
  package let transformsFilters: Bool
  /// The product of one point; its rows are the tiles.
  package let product: ContractionSpec

  package init(
    _ transform: WinogradTransform, image: [Int], channels: Int, columns: Int, dtype: DType,
    transformsFilters: Bool, tile: Tile
  ) {
    self.transform = transform
    self.image = image
    self.transformsFilters = transformsFilters
    let tiles = image[0] * (image[1] / transform.outputs) * (image[2] / transform.outputs)
    product = ContractionSpec(
      linearRows: tiles, depth: channels, columns: columns, dtype: dtype, tile: tile)
  }

  func check(_ target: TargetFacts) throws(EmitError) {
    try product.check(target)
    try EmitError.require(
      product.columns % product.tile.columns == 0 && product.rows % product.tile.rows == 0,
      "\(product.rows) tiles of \(product.columns) channels are no whole register tiles of "
        + "\(product.tile.rows)×\(product.tile.columns)")
    try EmitError.require(
      !transformsFilters || product.dtype != .q8, "q8 filters are rounded when transformed")
  }
}

/// Writes Winograd convolutions: a task takes some tiles and one panel of output channels through
/// all points, with the sums in stack memory, and transforms them back.
package enum WinogradKernel {
  /// The number of independent tasks.
  package static func tasks(_ spec: WinogradSpec, _ target: TargetFacts) -> Int {
    let plan = ContractionPlan(spec.product, lanes: target.lanes)
    return plan.rowBlocks * plan.panels
  }

  /// Writes the code of task `task`: see `ContractionKernel.emit`.
  package static func emit(
    _ e: FunctionEmitter, _ spec: WinogradSpec, task: LLVMValue, v: LLVMValue, u: LLVMValue,
    epilogue: @escaping ContractionKernel.Epilogue
  ) throws {
    try spec.check(e.target)
    let plan = ContractionPlan(spec.product, lanes: e.target.lanes)
    let vectors = plan.vectors(tail: false)
    let emitter = WinogradEmitter(
      e: e, spec: spec, plan: plan, v: v, u: u, epilogue: epilogue,
      filters: spec.transformsFilters
        ? e.stackSlot(bytes: spec.transform.points * WinogradEmitter.filterBytes(plan)) : u,
      sums: e.stackSlot(bytes: spec.transform.points * WinogradEmitter.sumBytes(plan)),
      outputs: e.stackSlot(
        bytes: spec.transform.outputs * spec.transform.outputs * plan.tile.columns * 4),
      kernel: try Microkernel(e, plan, vectors: vectors, name: "tile"))
    try emitter.write(task)
  }
}
