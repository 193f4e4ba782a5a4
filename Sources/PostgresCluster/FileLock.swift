import Glibc

/// An advisory lock on a file (`flock`), which ends with the process that holds it.
final class FileLock {
  enum Mode {
    case shared
    case exclusive
  }

  private static let pollMicroseconds: UInt32 = 20_000

  private let descriptor: Int32
  private let path: String

  /// Opens (and makes) the file; locks nothing yet. Closed, and with it unlocked, when this object goes.
  init(path: String) throws(ClusterError) {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if descriptor < 0 { throw ClusterError("cannot open the lock file \(path)", errno: errno) }
  }

  deinit { close(descriptor) }

  /// Takes the lock if it is free; changes the mode if it is held already.
  func tryLock(_ mode: Mode) -> Bool {
    flock(descriptor, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0
  }

  /// Waits for the lock until the deadline, or until `isCancelled`.
  func lock(
    _ mode: Mode, until deadline: ContinuousClock.Instant, isCancelled: () -> Bool = { false }
  ) throws(ClusterError) {
    while !tryLock(mode) {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw ClusterError("cannot lock \(path)", errno: errno) }
      if isCancelled() { throw ClusterError("gave up waiting for \(path)") }
      guard ContinuousClock.now < deadline else {
        throw ClusterError("another process is starting or stopping the database and does not finish (\(path))")
      }
      usleep(Self.pollMicroseconds)
    }
  }

  func unlock() { flock(descriptor, LOCK_UN) }
}
