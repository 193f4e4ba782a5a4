import Glibc

/// Why the private cluster does not run: what failed, and what to do.
public struct ClusterError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A sentence for people: the step that failed, the value it failed on, then what to do.
  public let description: String

  init(_ description: String) { self.description = description }

  /// A failed system call: what was tried, and errno's text.
  init(_ step: String, errno code: Int32) {
    description = "\(step): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
  }
}
