import Glibc

/// The programs of one installation of Postgres.
struct PostgresBinaries {
  let directory: String
  let majorVersion: Int

  var postgres: String { "\(directory)/postgres" }
  var initdb: String { "\(directory)/initdb" }

  /// Finds an installation.
  ///
  /// - Parameters:
  ///   - explicit: the only folder to look in, if it is given.
  ///   - required: the major version that an existing cluster is of; nil for the newest.
  static func find(explicit: String?, required: Int?) throws(ClusterError) -> PostgresBinaries {
    var found: [PostgresBinaries] = []
    for directory in explicit.map({ [$0] }) ?? candidates() {
      if let binaries = try look(in: directory) { found.append(binaries) }
    }
    let versions = found.map { "\($0.majorVersion) in \($0.directory)" }.joined(separator: ", ")
    let whatIsThere = versions.isEmpty ? "none was found" : "found \(versions)"
    if let required {
      if let match = found.first(where: { $0.majorVersion == required }) { return match }
      throw ClusterError(
        "the cluster is of PostgreSQL \(required), but \(whatIsThere): install that version, or upgrade the cluster")
    }
    let newest = found.max { $0.majorVersion < $1.majorVersion }
    guard let newest, newest.majorVersion >= ClusterConfiguration.minimumMajorVersion else {
      throw ClusterError(
        "no PostgreSQL \(ClusterConfiguration.minimumMajorVersion) or newer: \(whatIsThere); "
          + "install it (apt-get install postgresql), or name a database")
    }
    return newest
  }

  private static func candidates() -> [String] {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let onPath = path.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
    let debian = FileSystem.names(in: "/usr/lib/postgresql").map { "/usr/lib/postgresql/\($0)/bin" }
    let redHat = FileSystem.names(in: "/usr").filter { $0.hasPrefix("pgsql-") }.map { "/usr/\($0)/bin" }
    return onPath + debian + redHat + ["/usr/local/pgsql/bin"]
  }

  private static func look(in directory: String) throws(ClusterError) -> PostgresBinaries? {
    let postgres = "\(directory)/postgres"
    guard FileSystem.isExecutable(postgres), FileSystem.isExecutable("\(directory)/initdb") else { return nil }
    let (status, output) = try ChildProcess([postgres, "--version"]).run()
    // postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)
    guard status == 0, let word = output.split(separator: " ").dropFirst(2).first,
      let major = Int(word.prefix { $0.isNumber })
    else { return nil }
    return PostgresBinaries(directory: directory, majorVersion: major)
  }
}
