import Glibc

/// Reads cases from standard input, each four bytes of big-endian length and that many bytes, and prints one JSON line
/// per case: what the parser accepts, and why it stops. Exits with 1 when a verdict depends on how the bytes were cut.
@main
struct HTTPParse {
  /// Longest case; a longer one means that the input is not what this program reads.
  static let largestCase = 1 << 20

  static func main() {
    while let length = read(4) {
      let count = length.reduce(0) { $0 << 8 | Int($1) }
      guard count <= largestCase, let bytes = read(count) else { fail("input ends inside a case") }
      let whole = Connection(bytes, byByte: false).json
      let byByte = Connection(bytes, byByte: true).json
      guard whole == byByte else { fail("the verdict depends on the cuts:\n\(whole)\n\(byByte)") }
      write(whole + "\n")
    }
  }

  private static func read(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes { buffer in
        Glibc.read(STDIN_FILENO, buffer[filled...].baseAddressOrNil, count - filled)
      }
      guard got > 0 else { return nil }
      filled += got
    }
    return bytes
  }

  private static func write(_ text: String) {
    var bytes = Array(text.utf8)
    while !bytes.isEmpty {
      let put = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      guard put > 0 else { exit(1) }
      bytes.removeFirst(put)
    }
  }

  private static func fail(_ reason: String) -> Never {
    let text = Array("http-parse: \(reason)\n".utf8)
    _ = text.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(1)
  }
}

extension Slice<UnsafeMutableRawBufferPointer> {
  fileprivate var baseAddressOrNil: UnsafeMutableRawPointer? {
    base.baseAddress.map { $0 + startIndex }
  }
}
