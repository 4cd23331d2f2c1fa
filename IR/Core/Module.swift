/// The level of abstraction a module is at.
package enum Stage: String, CaseIterable, Hashable, Comparable, Sendable {
  /// Model ops on tensors.
  case tensor
  /// Outlined kernels, and functions that call them.
  case kernel
  /// Arena offsets and launches.
  case buffer

  /// Earlier stages come first.
  package static func < (a: Stage, b: Stage) -> Bool {
    (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
  }
}

/// A file of weights that `param` ops refer to by name.
package struct WeightsDeclaration: Hashable, Sendable {
  package var name: String
  package var path: String

  package init(name: String, path: String) {
    self.name = name
    self.path = path
  }
}

/// A program: declarations of weight files, kernels and functions.
package struct Module: Hashable, Sendable {
  package var stage: Stage
  package var weights: [WeightsDeclaration]
  package var graphs: [Graph]

  package init(stage: Stage = .tensor, weights: [WeightsDeclaration] = [], graphs: [Graph] = []) {
    self.stage = stage
    self.weights = weights
    self.graphs = graphs
  }

  /// The function or kernel of that name.
  package subscript(name: String) -> Graph? { graphs.first { $0.name == name } }

  /// The functions, without kernels.
  package var functions: [Graph] { graphs.filter { $0.kind == .function } }

  /// The kernels.
  package var kernels: [Graph] { graphs.filter { $0.kind == .kernel } }
}
