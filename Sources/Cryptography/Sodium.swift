import CSodium

/// The one door to libsodium's start-up.
enum Sodium {
  /// Runs `sodium_init` once, whichever thread comes first. It fails only where the system has no source of
  /// randomness, and then nothing in this module could be trusted.
  private static let started: Void = {
    precondition(sodium_init() >= 0, "libsodium cannot start: the system offers no randomness")
  }()

  @inline(__always)
  static func start() {
    _ = started
  }
}
