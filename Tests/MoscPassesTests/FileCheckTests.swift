import TestSupport
import Testing

/// Negative controls: a checker that accepts everything is worse than none.
@Suite struct FileCheckTests {
  static let text = "alpha %1 = add\nbeta %1\n\ngamma   %2\nlabel one\ndelta\nlabel two\nepsilon\n"

  @Test(arguments: [
    "// CHECK: alpha\n// CHECK-NEXT: beta",
    "// CHECK: alpha [[V:%[0-9]+]]\n// CHECK-NEXT: beta [[V]]",
    "// CHECK: gamma %2\n// CHECK-NOT: alpha",
    "// CHECK: alpha\n// CHECK-SAME: add",
    "// CHECK-DAG: gamma\n// CHECK-DAG: beta\n// CHECK: label",
    "// CHECK-LABEL: label one\n// CHECK: delta\n// CHECK-NOT: epsilon\n// CHECK-LABEL: label two",
    "// CHECK: {{a.*a}} %1",
  ])
  func accepts(_ file: String) throws {
    try FileCheck.check(Self.text, against: file)
  }

  @Test(arguments: [
    "no check at all",
    "// CHECK-NOT: zeta",
    "// CHECK: zeta",
    "// CHECK: beta\n// CHECK: alpha",
    "// CHECK: alpha\n// CHECK-NEXT: gamma",
    "// CHECK: alpha\n// CHECK-SAME: beta",
    "// CHECK: alpha\n// CHECK-NOT: beta\n// CHECK: gamma",
    "// CHECK: alpha\n// CHECK-NOT: epsilon",
    "// CHECK: alpha [[V:%[0-9]+]]\n// CHECK: gamma [[V]]",
    "// CHECK: [[UNKNOWN]]",
    "// CHECK-DAG: alpha\n// CHECK-DAG: alpha",
    "// CHECK-LABEL: label one\n// CHECK: epsilon\n// CHECK-LABEL: label two",
    "// CHECK-NXT: beta\n// CHECK: alpha",
    "// CHECKS: alpha\n// CHECK: alpha",
    "// CHECK: func",
    "// CHECK:",
    "// CHECK: {{(}}",
  ])
  func refuses(_ file: String) {
    #expect(throws: FileCheck.Failure.self) { try FileCheck.check(Self.text, against: file) }
  }
}
