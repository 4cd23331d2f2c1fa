import Foundation
import MoscCodegen
import MoscFormats
import MoscIR
import MoscReport

/// What the `weights` declarations of a module stand for.
package struct WeightFiles: Sendable {
  private let sources: [String: any WeightSource]
  /// Sources of which nothing is kept on disk.
  private var unkept: Set<String> = []

  /// - Parameter sources: mapped files and stores by declaration.
  package init(_ sources: [String: any WeightSource]) { self.sources = sources }

  /// Opens the files that a module declares.
  ///
  /// - Parameter folder: what relative paths start from.
  package init(_ module: Module, relativeTo folder: URL) throws {
    var sources: [String: any WeightSource] = [:]
    for declaration in module.weights {
      sources[declaration.name] = try WeightFile.open(
        URL(fileURLWithPath: declaration.path, relativeTo: folder).absoluteURL)
    }
    self.sources = sources
  }

  /// The memory of a weight as it lies in its file.
  ///
  /// - Parameter isPrepared: whether `prepare` is called before it is read.
  /// - Throws: when the file has no such tensor, or one of another type.
  package func memory(of weight: Param, isPrepared: Bool = false) throws -> UnsafeRawBufferPointer {
    guard let source = sources[weight.source] else {
      throw CommandError.failure("no file is declared for weights '@\(weight.source)'")
    }
    guard let tensor = isPrepared ? source.reserved(weight.name) : source.weight(weight.name) else {
      let nearest = NearestName.suggest(weight.name, in: source.names)
      throw FormatError(
        source.place, "tensor \"\(weight.name)\"",
        "not in the file" + (nearest.map { "; the nearest name is \"\($0)\"" } ?? ""))
    }
    guard tensor.shape == weight.type.shape, tensor.dtype == ElementType(weight.type.dtype) else {
      throw FormatError(
        source.place, "tensor \"\(weight.name)\"",
        "is \(tensor.dtype.rawValue)\(tensor.shape), the program expects \(weight.type)")
    }
    return tensor.bytes
  }

  /// What tells the numbers of a weight from any others, in other runs, too; nil if nothing does.
  package func identity(of weight: Param) -> String? {
    if unkept.contains(weight.source) { return nil }
    return sources[weight.source]?.identity.map { "\($0) \(weight.name) \(weight.type)" }
  }

  /// The same, keeping nothing that depends on numbers of the program's own making until the second run that
  /// has them: whoever tries strengths of an adapter would fill the disk with what is never read.
  package func remembered(by cache: PackedWeights) -> WeightFiles {
    var copy = self
    for (name, source) in sources where source is TensorStore || source is LazyTensors {
      guard let identity = source.identity else { continue }
      let key = ContentKey.of(["seen", identity])
      if case .hit = cache.numbers(key, count: 1) { continue }
      cache.keep([1], key)
      copy.unkept.insert(name)
    }
    return copy
  }

  /// What tells the sources from any others while they are in memory, in the order of their names; nil if
  /// nothing does.
  package var identities: [String]? {
    let found = sources.sorted { $0.key < $1.key }.map { name, source in
      source.identity.map { "\(name) \($0)" }
    }
    let known = found.compactMap { $0 }
    return known.count == found.count ? known : nil
  }

  /// Whether all files are as they were when they were opened.
  package var areUnchanged: Bool { sources.values.allSatisfy(\.isUnchanged) }

  /// Makes a weight whose memory was asked for, if it is not there yet.
  package func prepare(_ weight: Param) { sources[weight.source]?.prepare(weight.name) }

  /// Lets the system take back the pages of a weight that will not be read again soon.
  package func forget(_ weight: Param) { sources[weight.source]?.dropPages(of: weight.name) }
}

extension ElementType {
  /// The safetensors spelling of an IR element type.
  package init(_ dtype: DType) {
    switch dtype {
    case .f32: self = .f32
    case .f16: self = .f16
    case .bf16: self = .bf16
    case .i32: self = .i32
    // No tensor of a file is q8: it is made by `quantise` and `pack`.
    case .u8, .q8: self = .u8
    case .i8: self = .i8
    }
  }
}
