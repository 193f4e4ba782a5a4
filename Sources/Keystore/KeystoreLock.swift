import Glibc

/// The right to change a keystore: a lock on a side file (`flock`), which ends with the process that holds it.
///
/// The keystore itself is replaced by every change, so it cannot carry the lock. The side file is empty and stays.
final class KeystoreLock: Sendable {
  private static let pollMicroseconds: UInt32 = 20_000

  private let descriptor: Int32

  /// Takes the lock, waiting at most `wait` for another that holds it.
  init(in folder: Folder, wait: Duration) throws(KeystoreError) {
    descriptor = try folder.openLockFile()
    let deadline = ContinuousClock.now + wait
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK || code == EINTR else {
        close(descriptor)
        throw .system(step: "lock", path: folder.path, code: code)
      }
      guard ContinuousClock.now < deadline else {
        close(descriptor)
        throw .locked(path: folder.path)
      }
      usleep(Self.pollMicroseconds)
    }
  }

  deinit { close(descriptor) }
}
