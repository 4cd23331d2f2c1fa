/// A compiled kernel: what to call and how many independent tasks it has.
package struct Kernel: Sendable {
  /// The kernel's calling convention: argument pointers and a range of tasks.
  package typealias Function =
    @convention(c) (
      UnsafePointer<UnsafeMutableRawPointer?>, Int, Int
    ) -> Void

  package let name: String
  package let function: Function
  package let taskCount: Int
  /// What tells the machine code from any other's; nil if nobody asked for it.
  package let identity: String?

  package init(
    name: String, function: @escaping Function, taskCount: Int, identity: String? = nil
  ) {
    self.identity = identity
    self.name = name
    self.function = function
    self.taskCount = taskCount
  }
}

/// Where a kernel argument lives.
package enum ArgumentReference: Hashable, Sendable {
  /// An external buffer of the function (a parameter, a result or a weight) from a byte on.
  case external(Int, byteOffset: Int = 0)
  /// A byte offset into the function's arena.
  case arena(Int)
}

/// One kernel call of a function.
package struct LaunchRecord: Sendable {
  package let kernel: Kernel
  package let arguments: [ArgumentReference]

  package init(kernel: Kernel, arguments: [ArgumentReference]) {
    self.kernel = kernel
    self.arguments = arguments
  }
}
