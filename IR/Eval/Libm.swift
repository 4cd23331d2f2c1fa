#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The C library's transcendental functions in f64, for the reference evaluator.
enum Libm {
  static func exp(_ x: Double) -> Double { _exp(x) }
  static func log(_ x: Double) -> Double { _log(x) }
  static func erf(_ x: Double) -> Double { _erf(x) }
  static func tanh(_ x: Double) -> Double { _tanh(x) }
  static func sin(_ x: Double) -> Double { _sin(x) }
  static func cos(_ x: Double) -> Double { _cos(x) }
}

// Inside the enum the C names would mean its own members.
private func _exp(_ x: Double) -> Double { exp(x) }
private func _log(_ x: Double) -> Double { log(x) }
private func _erf(_ x: Double) -> Double { erf(x) }
private func _tanh(_ x: Double) -> Double { tanh(x) }
private func _sin(_ x: Double) -> Double { sin(x) }
private func _cos(_ x: Double) -> Double { cos(x) }
