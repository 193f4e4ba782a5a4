import Glibc

/// Texts of the system.
enum SystemText {
  /// What an `errno` means.
  static func error(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}
