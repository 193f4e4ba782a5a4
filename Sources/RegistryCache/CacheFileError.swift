import Glibc

/// Why the file of a cache cannot be used. Nothing of it was changed.
public enum CacheFileError: Error, Sendable, Hashable {
  /// The system refuses; its error number.
  case system(step: String, path: String, code: Int32)
  /// A folder, a pipe or a device.
  case notAFile(path: String)
  /// A link, which might lead to somebody else's file.
  case symbolicLink(path: String)
  /// It belongs to another user.
  case foreignOwner(path: String, userID: UInt32)
  /// Others may read or write it.
  case openPermissions(path: String, mode: UInt32)
  /// A file, or a database, of another program.
  case foreign(path: String)
  /// A later version of this program has written it.
  case newer(path: String)
  /// What is in it is not what was written: what was pinned is not known any more.
  case damaged(path: String, detail: String)
  /// Another process did not let go of it in time.
  case busy(path: String)
  /// SQLite refuses; its words.
  case database(path: String, detail: String)
}

extension CacheFileError: CustomStringConvertible {
  /// A sentence for people.
  public var description: String {
    switch self {
    case .system(let step, let path, let code): "cannot \(step) the cache \(path): \(String(cString: strerror(code)))"
    case .notAFile(let path): "the cache \(path) is no plain file: name another one"
    case .symbolicLink(let path): "the cache \(path) is a symbolic link: name the file itself"
    case .foreignOwner(let path, let userID): "the cache \(path) belongs to user \(userID): name one of your own"
    case .openPermissions(let path, let mode):
      "the cache \(path) is open to others (mode \(String(mode, radix: 8))): chmod 600 it, if you trust what is in it"
    case .foreign(let path): "\(path) is no cache of this program: name another file"
    case .newer(let path): "a later version has written the cache \(path): use that version, or name another file"
    case .damaged(let path, let detail):
      "the cache \(path) is damaged (\(detail)): restore it from a backup, or move it away to begin anew without its pins"
    case .busy(let path): "another process does not let go of the cache \(path): try again"
    case .database(let path, let detail): "the cache \(path) cannot be used: \(detail)"
    }
  }
}
