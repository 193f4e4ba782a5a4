import Glibc

/// The system would not read or write.
public struct StreamFailure: Error, Sendable, CustomStringConvertible {
  /// What was done, to what: `cannot read the objects`.
  public let step: String
  /// The system's error number.
  public let number: Int32

  /// A failure of a step.
  public init(_ step: String, number: Int32) {
    self.step = step
    self.number = number
  }

  /// The step and the system's words for the error.
  public var description: String { "\(step): \(String(cString: strerror(number)))" }
}

/// An open file descriptor, which stays its opener's to close.
public struct Descriptor: Sendable {
  /// Standard input.
  public static let standardInput = Descriptor(STDIN_FILENO)
  /// Standard output.
  public static let standardOutput = Descriptor(STDOUT_FILENO)
  /// Standard error.
  public static let standardError = Descriptor(STDERR_FILENO)

  /// The number.
  public let number: Int32

  /// A descriptor that is open.
  public init(_ number: Int32) { self.number = number }

  /// Whether it is a terminal.
  public var isTerminal: Bool { isatty(number) == 1 }

  /// Reads what is there, at most `count` bytes, to `offset` of `buffer`, which is long enough. 0 at the end.
  func read(into buffer: inout [UInt8], at offset: Int, count: Int, step: String) throws(StreamFailure) -> Int {
    let room = min(count, buffer.count - offset)
    while true {
      let result = buffer.withUnsafeMutableBytes { bytes in
        bytes.baseAddress.map { Glibc.read(number, $0 + offset, room) } ?? 0
      }
      if result >= 0 { return result }
      guard errno == EINTR else { throw StreamFailure(step, number: errno) }
    }
  }

  /// Reads to the end; nil if there are more than `limit` bytes.
  public func readAll(limit: Int, step: String) throws(StreamFailure) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: LineSource.readBytes)
    var count = 0
    while true {
      let received = try read(into: &buffer, at: count, count: buffer.count - count, step: step)
      guard received > 0 else { break }
      count += received
      guard count <= limit else { return nil }
      if count == buffer.count { buffer.append(contentsOf: repeatElement(0, count: buffer.count)) }
    }
    buffer.removeLast(buffer.count - count)
    return buffer
  }

  /// Writes all bytes.
  public func writeAll(_ bytes: [UInt8], step: String) throws(StreamFailure) {
    var offset = 0
    while offset < bytes.count {
      let written = bytes.withUnsafeBytes { buffer in
        buffer.baseAddress.map { write(number, $0 + offset, buffer.count - offset) } ?? 0
      }
      if written >= 0 {
        offset += written
      } else if errno != EINTR {
        throw StreamFailure(step, number: errno)
      }
    }
  }
}
