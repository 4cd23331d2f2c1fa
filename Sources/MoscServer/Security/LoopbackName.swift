/// Names and addresses of this machine itself.
enum LoopbackName {
  /// Whether a host, without its port, is one of them.
  static func contains(_ host: String) -> Bool {
    let host = host.lowercased()
    return ["localhost", "::1", "[::1]"].contains(host) || isLoopbackAddress(host)
  }

  /// 127.0.0.0/8.
  private static func isLoopbackAddress(_ host: String) -> Bool {
    guard let numbers = address(host) else { return false }
    return numbers[0] == 127
  }

  /// The four numbers of an IPv4 address; nil for a name.
  private static func address(_ host: String) -> [Int]? {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { part in
      part.count <= 3 && part.allSatisfy(\.isNumber) ? Int(part) : nil
    }
    return parts.count == 4 && numbers.count == 4 && numbers.allSatisfy { $0 < 256 } ? numbers : nil
  }

  /// Whether a host is an address rather than a name, which no foreign name server can redirect.
  static func isAddress(_ host: String) -> Bool {
    address(host) != nil || host.hasPrefix("[") && host.hasSuffix("]")
  }
}
