import Glibc

/// What a cluster's `postmaster.pid` says, and whether it is true.
struct Postmaster: Hashable {
  let processID: pid_t
  /// The folder of its socket; empty as long as it has none.
  let socketDirectory: String
  /// Whether it has said that it takes connections.
  let isReady: Bool

  private static let fileLimit = 4096

  /// The running postmaster of a cluster; nil if there is none, whatever a left-over file says.
  static func running(in cluster: String) -> Postmaster? {
    guard let text = FileSystem.read("\(cluster)/postmaster.pid", last: fileLimit) else { return nil }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard let first = lines.first, let processID = pid_t(first.filter(\.isNumber)), processID > 1 else { return nil }
    guard isAlive(processID), isPostgres(processID, in: cluster) else { return nil }
    return Postmaster(
      processID: processID,
      socketDirectory: lines.count > 4 ? String(lines[4]) : "",
      isReady: lines.count > 7 && lines[7].hasPrefix("ready"))
  }

  /// Whether a process lives. One that has ended counts as gone also where nobody has fetched its status.
  static func isAlive(_ processID: pid_t) -> Bool {
    var status: Int32 = 0
    if waitpid(processID, &status, WNOHANG) == processID { return false }
    guard kill(processID, 0) == 0 || errno == EPERM else { return false }
    guard let stat = FileSystem.read("/proc/\(processID)/stat", last: fileLimit) else { return false }
    // pid (command) state …: the command may hold anything, also brackets.
    guard let bracket = stat.lastIndex(of: ")") else { return false }
    let state = stat[bracket...].dropFirst(2).first
    return state != "Z" && state != "X"
  }

  /// Whether a process works in the cluster, as all of Postgres' do. A process id may have been given to another since.
  private static func isPostgres(_ processID: pid_t, in cluster: String) -> Bool {
    if let folder = FileSystem.linkTarget("/proc/\(processID)/cwd") { return folder == cluster }
    // Not ours to look at: the name has to do.
    return FileSystem.read("/proc/\(processID)/comm", last: 64)?.hasPrefix("postgres") ?? false
  }

  /// The processes that work in a cluster.
  static func processes(in cluster: String) -> [pid_t] {
    FileSystem.names(in: "/proc").compactMap { pid_t($0) }.filter { processID in
      FileSystem.linkTarget("/proc/\(processID)/cwd") == cluster && isAlive(processID)
    }
  }
}
