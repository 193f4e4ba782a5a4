import Glibc

/// The few calls on files that a cluster needs.
enum FileSystem {
  /// What `lstat` says; nil if there is nothing.
  static func status(_ path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }

  static func isDirectory(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

  static func exists(_ path: String) -> Bool { status(path) != nil }

  static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

  /// The path from the root, with links resolved as far as it exists.
  static func absolutePath(_ path: String) throws(ClusterError) -> String {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw ClusterError("the data folder has no name") }
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    var components = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
    guard let last = components.popLast() else { return "/" }
    guard last != "..", last != "." else { throw ClusterError("no folder \(path)") }
    let parent = (path.hasPrefix("/") ? "/" : "") + components.joined(separator: "/")
    let resolvedParent = try absolutePath(parent.isEmpty ? "." : parent)
    return resolvedParent == "/" ? "/\(last)" : "\(resolvedParent)/\(last)"
  }

  /// Makes a folder and, with `parentMode`, those above it.
  static func makeDirectory(_ path: String, mode: mode_t, parentMode: mode_t) throws(ClusterError) {
    if exists(path) || path == "/" { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try makeDirectory(String(path[..<slash]), mode: parentMode, parentMode: parentMode)
    }
    guard mkdir(path, mode) == 0 || errno == EEXIST else {
      throw ClusterError("cannot make the folder \(path)", errno: errno)
    }
    // Whatever the umask is: who runs Postgres has to get through.
    guard chmod(path, mode) == 0 else { throw ClusterError("cannot set the mode of \(path)", errno: errno) }
  }

  /// Makes a folder that belongs to `owner` alone, or checks that one that is there does.
  static func makePrivateDirectory(_ path: String, owner: OperatingSystemUser) throws(ClusterError) {
    if mkdir(path, 0o700) == 0 {
      try giveAway(path, to: owner)
    } else if errno != EEXIST {
      throw ClusterError("cannot make the folder \(path)", errno: errno)
    }
    guard let status = status(path), isDirectory(status), status.st_uid == owner.userID else {
      throw ClusterError("\(path) does not belong to \(owner.name): remove it, or choose another data folder")
    }
    if status.st_mode & 0o777 != 0o700 && chmod(path, 0o700) != 0 {
      throw ClusterError("cannot make \(path) private", errno: errno)
    }
  }

  static func giveAway(_ path: String, to owner: OperatingSystemUser) throws(ClusterError) {
    if owner.userID == geteuid() { return }
    guard lchown(path, owner.userID, owner.groupID) == 0 else {
      throw ClusterError("cannot give \(path) to \(owner.name)", errno: errno)
    }
  }

  /// The names in a folder, without `.` and `..`; none if it cannot be read.
  static func names(in path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a folder and all in it; links are removed, not followed.
  static func removeTree(_ path: String) {
    guard let status = status(path) else { return }
    guard isDirectory(status) else {
      unlink(path)
      return
    }
    for name in names(in: path) { removeTree("\(path)/\(name)") }
    rmdir(path)
  }

  /// The last bytes of a text file, at most `limit`; nil if it cannot be read.
  static func read(_ path: String, last limit: Int) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let end = lseek(descriptor, 0, SEEK_END)
    lseek(descriptor, max(0, end - limit), SEEK_SET)
    return String(decoding: drain(descriptor, limit: limit), as: UTF8.self)
  }

  /// All that a descriptor gives until its end, at most `limit` bytes.
  static func drain(_ descriptor: Int32, limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while bytes.count < limit {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      bytes.append(contentsOf: chunk[..<min(count, limit - bytes.count)])
    }
    return bytes
  }

  static func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
