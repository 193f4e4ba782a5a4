import Glibc

/// The folder of a keystore, held open: what is done in it cannot be led elsewhere by exchanging folders or links.
final class Folder: Sendable {
  private static let temporaryMode: mode_t = 0o600
  private static let othersMask: mode_t = 0o077

  /// The path of the keystore, for errors.
  let path: String
  private let name: String
  private let descriptor: Int32

  /// Opens the folder of the file at `path`.
  init(ofFileAt path: String) throws(KeystoreError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard let name = parts.last.map(String.init), !name.isEmpty, name != ".", name != "..",
      !path.utf8.contains(0), name.utf8.count <= KeystoreLimits.fileNameBytes
    else { throw .invalidPath(path) }
    let parent = parts.dropLast().joined(separator: "/")
    self.path = path
    self.name = name
    descriptor = Glibc.open(
      parts.count == 1 ? "." : parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(step: "open the folder of", path: path, code: errno) }
  }

  deinit { close(descriptor) }

  /// The name of the file that a new version is written to before it takes the place of the old one. Who writes holds
  /// the lock, so one name is enough, and a leftover of a crash is simply replaced.
  private var temporaryName: String { ".\(name).new" }
  private var lockName: String { ".\(name).lock" }

  /// Whether something is there, link or not.
  func fileExists() -> Bool {
    var status = stat()
    return fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
  }

  /// The bytes of the file, if it is a plain one that only we can use.
  func read() throws(KeystoreError) -> [UInt8] {
    // Not to wait for the writer of a named pipe.
    let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      switch errno {
      case ENOENT: throw .notFound(path: path)
      case ELOOP: throw .symbolicLink(path: path)
      case let code: throw .system(step: "open", path: path, code: code)
      }
    }
    defer { close(file) }
    try check(file)
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while bytes.count <= KeystoreLimits.fileBytes {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw .system(step: "read", path: path, code: errno) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
    throw .tooLarge(count: bytes.count)
  }

  private func check(_ file: Int32) throws(KeystoreError) {
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .system(step: "look at", path: path, code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard status.st_uid == geteuid() else { throw .foreignOwner(path: path, userID: status.st_uid) }
    guard status.st_mode & Self.othersMask == 0 else {
      throw .openPermissions(path: path, mode: status.st_mode & 0o7777)
    }
    guard status.st_size <= KeystoreLimits.fileBytes else { throw .tooLarge(count: Int(status.st_size)) }
  }

  /// Puts `bytes` in the place of the file: whatever happens, the old or the new bytes are there as a whole.
  ///
  /// If the last step fails, the new bytes are there, but may be gone after a power cut.
  func replace(with bytes: [UInt8]) throws(KeystoreError) {
    try writeTemporary(bytes)
    try publish()
  }

  /// Step 1: the new bytes, safe on disk under another name.
  func writeTemporary(_ bytes: [UInt8]) throws(KeystoreError) {
    guard unlinkat(descriptor, temporaryName, 0) == 0 || errno == ENOENT else {
      throw .system(step: "clear away an old copy of", path: path, code: errno)
    }
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = openat(descriptor, temporaryName, flags, Self.temporaryMode)
    guard file >= 0 else { throw .system(step: "make a new version of", path: path, code: errno) }
    defer { close(file) }
    do throws(KeystoreError) {
      try write(bytes, to: file)
    } catch {
      unlinkat(descriptor, temporaryName, 0)
      throw error
    }
  }

  private func write(_ bytes: [UInt8], to file: Int32) throws(KeystoreError) {
    // The umask can only have taken away.
    guard fchmod(file, Self.temporaryMode) == 0 else { throw .system(step: "protect", path: path, code: errno) }
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .system(step: "write", path: path, code: errno) }
      written += count
    }
    guard fsync(file) == 0 else { throw .system(step: "bring to disk", path: path, code: errno) }
  }

  /// Step 2: the new bytes under the right name, and that safe on disk.
  func publish() throws(KeystoreError) {
    guard renameat(descriptor, temporaryName, descriptor, name) == 0 else {
      let code = errno
      unlinkat(descriptor, temporaryName, 0)
      throw .system(step: "replace", path: path, code: code)
    }
    guard fsync(descriptor) == 0 else { throw .system(step: "bring to disk the folder of", path: path, code: errno) }
  }

  /// Opens (and makes) the side file that is locked.
  func openLockFile() throws(KeystoreError) -> Int32 {
    let file = openat(descriptor, lockName, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, Self.temporaryMode)
    guard file >= 0 else { throw .system(step: "open the lock file of", path: path, code: errno) }
    return file
  }
}
