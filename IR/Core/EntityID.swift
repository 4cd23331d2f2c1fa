/// A typed 32-bit index into a table owned by a graph.
package struct EntityID<Tag>: Hashable, Comparable, Sendable {
  package let rawValue: Int32

  package init(_ index: Int) { rawValue = Int32(index) }

  /// The position in the owning table.
  package var index: Int { Int(rawValue) }

  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The tag of value ids.
package enum ValueTag: Sendable {}
/// The tag of node ids.
package enum NodeTag: Sendable {}

/// Names a value of a graph.
package typealias ValueID = EntityID<ValueTag>
/// Names a node of a graph.
package typealias NodeID = EntityID<NodeTag>

/// Data attached to entities of a graph from outside, with a default for entities not set.
package struct SideTable<Tag, Element> {
  private var storage: [Element] = []
  private let fallback: Element

  package init(default fallback: Element) { self.fallback = fallback }

  package subscript(id: EntityID<Tag>) -> Element {
    get { id.index < storage.count ? storage[id.index] : fallback }
    set {
      while storage.count <= id.index { storage.append(fallback) }
      storage[id.index] = newValue
    }
  }
}
