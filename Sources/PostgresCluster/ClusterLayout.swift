import Glibc

/// Where the parts of a private cluster are, and whose they are.
struct ClusterLayout {
  /// `/.s.PGSQL.5432` behind the folder, and the 107 bytes that a socket's address takes.
  private static let maximumSocketDirectoryBytes = 107 - 14
  /// libpq and Postgres read commas, quotes and more in the name of a socket's folder as something else.
  private static let plainPunctuation = Set("/._-+".utf8)

  let directory: String
  /// Who runs Postgres.
  let owner: OperatingSystemUser

  var cluster: String { "\(directory)/postgres" }
  /// Where a cluster is made before it gets its name, so that one half made is never taken for one.
  var unfinishedCluster: String { "\(directory)/postgres.unfinished" }
  var log: String { "\(directory)/postgres.log" }
  var startLock: String { "\(directory)/postgres.start-lock" }
  var useLock: String { "\(directory)/postgres.use-lock" }

  var isInitialized: Bool { FileSystem.exists("\(cluster)/PG_VERSION") }

  /// The major version of an existing cluster.
  var majorVersion: Int? {
    FileSystem.read("\(cluster)/PG_VERSION", last: 16).flatMap { Int($0.filter(\.isNumber)) }
  }

  /// Finds out who runs Postgres: the owner of a cluster that is there, else us, or if we are root the configured user.
  init(_ configuration: ClusterConfiguration) throws(ClusterError) {
    directory = try FileSystem.absolutePath(configuration.directory)
    let cluster = "\(directory)/postgres"
    let isRoot = geteuid() == 0
    if let status = FileSystem.status(cluster) {
      guard isRoot || status.st_uid == geteuid() else {
        let name = OperatingSystemUser.withID(status.st_uid)?.name ?? "user \(status.st_uid)"
        throw ClusterError("\(cluster) belongs to \(name): run this as \(name) or as root")
      }
      guard status.st_uid != 0, let owner = OperatingSystemUser.withID(status.st_uid) else {
        throw ClusterError("\(cluster) belongs to nobody who could run postgres: give it to a user (chown -R)")
      }
      self.owner = owner
    } else if isRoot {
      guard let user = OperatingSystemUser.named(configuration.operatingSystemUser), user.userID != 0 else {
        throw ClusterError(
          "postgres does not run as root, and there is no user \(configuration.operatingSystemUser) to run it: "
            + "install postgresql, or run this as an ordinary user")
      }
      owner = user
    } else {
      owner = OperatingSystemUser.current()
    }
  }

  /// Makes the data folder, if it is not there, such that the owner can get through it.
  func prepare() throws(ClusterError) {
    let isOurs = FileSystem.names(in: directory).isEmpty || FileSystem.exists(startLock)
    if owner.userID == geteuid() {
      try FileSystem.makeDirectory(directory, mode: 0o700, parentMode: 0o755)
      return
    }
    try FileSystem.makeDirectory(directory, mode: 0o700, parentMode: 0o711)
    if try canEnter(directory) { return }
    // A folder that is given to us is opened for the owner to pass through, not to list.
    if isOurs, let status = FileSystem.status(directory), FileSystem.isDirectory(status), status.st_uid == geteuid() {
      guard chown(directory, status.st_uid, owner.groupID) == 0, chmod(directory, 0o710) == 0 else {
        throw ClusterError("cannot open \(directory) for \(owner.name)", errno: errno)
      }
      if try canEnter(directory) { return }
    }
    let closed = try closedFolder()
    throw ClusterError(
      "the user \(owner.name), who runs postgres, cannot enter \(closed): "
        + "choose a data folder elsewhere (such as /var/lib/peerstack-registrar), or run chmod o+x \(closed)")
  }

  private func canEnter(_ path: String) throws(ClusterError) -> Bool {
    try ChildProcess(["/bin/sh", "-c", "cd \"$1\"", "sh", path], as: owner).run().status == 0
  }

  /// The first folder on the way that the owner cannot enter.
  private func closedFolder() throws(ClusterError) -> String {
    var path = ""
    for component in directory.split(separator: "/") {
      path += "/\(component)"
      if try !canEnter(path) { return path }
    }
    return directory
  }

  /// The folder for the socket, made and private: in the data folder, or where that is too deep in a short place.
  func makeSocketDirectory() throws(ClusterError) -> String {
    let near = "\(directory)/run"
    let path = Self.isUsableForSocket(near) ? near : shortSocketDirectory
    try FileSystem.makePrivateDirectory(path, owner: owner)
    return path
  }

  static func isUsableForSocket(_ path: String) -> Bool {
    path.utf8.count <= maximumSocketDirectoryBytes
      && path.utf8.allSatisfy { byte in
        plainPunctuation.contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
      }
  }

  /// A name made from the data folder's, so that all who look for it find the same.
  private var shortSocketDirectory: String {
    // FNV-1a, 64 bits: names must differ, nothing more; who owns the folder is checked.
    let hash = directory.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    let base = geteuid() == 0 && FileSystem.exists("/run") ? "/run" : "/tmp"
    return "\(base)/peerstack-registrar-\(String(repeating: "0", count: 16 - digits.count))\(digits)"
  }
}
