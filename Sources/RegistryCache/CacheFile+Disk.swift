import GRDB
import Glibc

/// What is checked of a file before SQLite sees it, and how a new one comes to be.
extension CacheFile {
  private static let fileMode: mode_t = 0o600
  private static let othersMask: mode_t = 0o077
  /// Bytes of the header of an SQLite file, and what is looked at in it.
  private static let headerCount = 100
  private static let magic = Array("SQLite format 3\0".utf8)
  private static let pageSizePlace = 16
  private static let applicationPlace = 68
  /// Numbers the attempts of one process to make a file.
  private static let freeNameAttempts = 100

  /// Makes the file if there is none, and refuses what is not a file of ours: SQLite would follow links, change files of
  /// other programs, and take an empty one for a new one.
  static func prepare(_ path: String) throws(CacheFileError) {
    if try !exists(path) { try create(path) }
    try check(path)
  }

  private static func exists(_ path: String) throws(CacheFileError) -> Bool {
    var status = stat()
    if lstat(path, &status) == 0 { return true }
    guard errno == ENOENT else { throw .system(step: "find", path: path, code: errno) }
    return false
  }

  private static func check(_ path: String) throws(CacheFileError) {
    // Not to wait for the writer of a named pipe.
    let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ELOOP { throw .symbolicLink(path: path) }
      throw .system(step: "open", path: path, code: errno)
    }
    defer { Glibc.close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .system(step: "look at", path: path, code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    guard status.st_uid == geteuid() else { throw .foreignOwner(path: path, userID: status.st_uid) }
    guard status.st_mode & othersMask == 0 else {
      throw .openPermissions(path: path, mode: UInt32(status.st_mode & 0o7777))
    }
    var header = [UInt8](repeating: 0, count: headerCount)
    let count = pread(file, &header, header.count, 0)
    guard count >= 0 else { throw .system(step: "read", path: path, code: errno) }
    guard count > 0 else { throw .damaged(path: path, detail: "it is empty") }
    guard header.starts(with: magic.prefix(count)) else { throw .foreign(path: path) }
    guard count == headerCount else { throw .damaged(path: path, detail: "it is cut off") }
    let application = header[applicationPlace..<applicationPlace + 4].reduce(Int32(0)) { $0 << 8 | Int32($1) }
    guard application == CacheSchema.applicationID else { throw .foreign(path: path) }
    guard isWhole(header, size: Int(status.st_size), path) else { throw .damaged(path: path, detail: "it is cut off") }
  }

  /// Whether a file has whole pages: SQLite takes what is missing of the last one for zeros. With a log beside it a
  /// crash may have torn the last page, which is then in the log.
  private static func isWhole(_ header: [UInt8], size: Int, _ path: String) -> Bool {
    var status = stat()
    if stat(path + "-wal", &status) == 0, status.st_size > 0 { return true }
    let given = Int(header[pageSizePlace]) << 8 | Int(header[pageSizePlace + 1])
    // 65,536 does not fit, and is written as 1.
    return given > 0 && size % (given == 1 ? 65_536 : given) == 0
  }

  /// Makes a whole file under another name and then gives it its own, so that an empty or half-made one is never ours.
  private static func create(_ path: String) throws(CacheFileError) {
    let draft = try draft(for: path)
    defer { for suffix in ["", "-wal", "-shm", "-journal"] { unlink(draft + suffix) } }
    do {
      try CacheSchema.make(at: draft)
    } catch {
      throw CacheFileError(error, path: path)
    }
    try bringToDisk(draft, of: path, O_RDONLY)
    // Never in the place of another one, which somebody may have made meanwhile: then that is the file.
    guard link(draft, path) == 0 || errno == EEXIST else { throw .system(step: "make", path: path, code: errno) }
    try bringToDisk(folder(of: path), of: path, O_RDONLY | O_DIRECTORY)
  }

  /// An empty file that only its owner can use.
  private static func draft(for path: String) throws(CacheFileError) -> String {
    for attempt in 0..<freeNameAttempts {
      let draft = "\(path).new-\(getpid())-\(attempt)"
      let file = open(draft, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fileMode)
      if file < 0 && errno == EEXIST { continue }
      guard file >= 0 else { throw .system(step: "make", path: path, code: errno) }
      defer { Glibc.close(file) }
      guard fchmod(file, fileMode) == 0 else { throw .system(step: "protect", path: path, code: errno) }
      return draft
    }
    throw .system(step: "make", path: path, code: EEXIST)
  }

  private static func bringToDisk(_ name: String, of path: String, _ flags: Int32) throws(CacheFileError) {
    let file = open(name, flags | O_CLOEXEC)
    guard file >= 0 else { throw .system(step: "open", path: path, code: errno) }
    defer { Glibc.close(file) }
    guard fsync(file) == 0 else { throw .system(step: "bring to disk", path: path, code: errno) }
  }

  private static func folder(of path: String) -> String {
    guard let end = path.lastIndex(of: "/") else { return "." }
    return end == path.startIndex ? "/" : String(path[..<end])
  }
}
