import BatchVerifier
import Glibc

/// Files of this run.
enum Files {
  private static let maxBytes = 1 << 30

  static func read(_ path: String) throws -> [UInt8] {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { throw Trouble("cannot open \(path): \(String(cString: strerror(errno)))") }
    defer { close(number) }
    guard let bytes = try Descriptor(number).readAll(limit: maxBytes, step: "cannot read \(path)") else {
      throw Trouble("\(path) has more than \(maxBytes) bytes")
    }
    return bytes
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    let number = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard number >= 0 else { throw Trouble("cannot make \(path): \(String(cString: strerror(errno)))") }
    defer { close(number) }
    try Descriptor(number).writeAll(bytes, step: "cannot write \(path)")
  }

  /// The lines of a file, without the LF.
  static func lines(_ path: String) throws -> [[UInt8]] {
    try read(path).split(separator: UInt8(ascii: "\n")).map(Array.init)
  }
}
