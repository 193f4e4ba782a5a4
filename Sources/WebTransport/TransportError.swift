import Glibc

/// A step that the operating system or a library refused.
public struct TransportError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, such as `bind 127.0.0.1:8080`.
  public let step: String
  /// Why it failed, in the system's words; empty when nobody said.
  public let reason: String

  init(_ step: String, reason: String = "") {
    self.step = step
    self.reason = reason
  }

  /// With the text of an `errno`.
  init(_ step: String, code: Int32) {
    self.init(step, reason: String(cString: strerror(code)))
  }

  /// One line, for the log.
  public var description: String {
    reason.isEmpty ? "could not \(step)" : "could not \(step): \(reason)"
  }
}
