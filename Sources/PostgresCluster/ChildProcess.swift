import Glibc

/// Starts programs, as another user where that is asked for.
struct ChildProcess {
  /// `POSIX_SPAWN_SETSID`, which the importer does not see: a session of its own, so that neither a terminal's signals
  /// nor our end reach it.
  private static let newSessionFlag = 0x80
  private static let outputLimit = 65_536
  /// From util-linux, which Debian always has; it becomes the program it starts, so the process id is the program's.
  private static let setprivPaths = ["/usr/bin/setpriv", "/bin/setpriv", "/usr/local/bin/setpriv"]

  let arguments: [String]

  /// A program with its arguments, run in `/` (which every user may enter) as `user`.
  init(_ arguments: [String], as user: OperatingSystemUser? = nil) throws(ClusterError) {
    var command = ["/bin/sh", "-c", "cd / && umask 077 && exec \"$@\"", "sh"]
    if let user, user.userID != geteuid() {
      guard let setpriv = Self.setprivPaths.first(where: FileSystem.isExecutable) else {
        throw ClusterError("cannot run postgres as \(user.name): setpriv (package util-linux) is missing")
      }
      command += [setpriv, "--reuid=\(user.userID)", "--regid=\(user.groupID)", "--init-groups", "--"]
    }
    self.arguments = command + arguments
  }

  /// Starts it and goes on; its output goes to `descriptor`.
  func start(output descriptor: Int32) throws(ClusterError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, descriptor, 1)
    posix_spawn_file_actions_adddup2(&actions, descriptor, 2)
    // A database that outlives us must not hold our sockets.
    for name in FileSystem.names(in: "/proc/self/fd") {
      if let number = Int32(name), number > 2 { posix_spawn_file_actions_addclose(&actions, number) }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let flags = Int(POSIX_SPAWN_SETSIGMASK) | Int(POSIX_SPAWN_SETSIGDEF) | Self.newSessionFlag
    posix_spawnattr_setflags(&attributes, Int16(flags))
    return try spawn(&actions, &attributes)
  }

  private func spawn(
    _ actions: inout posix_spawn_file_actions_t, _ attributes: inout posix_spawnattr_t
  ) throws(ClusterError) -> pid_t {
    let argv = arguments.map { strdup($0) } + [nil]
    let environment = Self.environment.map { strdup($0) } + [nil]
    defer { for text in argv + environment { free(text) } }
    var processID: pid_t = 0
    let status = posix_spawn(&processID, "/bin/sh", &actions, &attributes, argv, environment)
    guard status == 0 else { throw ClusterError("cannot start \(arguments.joined(separator: " "))", errno: status) }
    return processID
  }

  /// Runs it to its end: its exit status (or 128 + signal) and what it printed.
  func run() throws(ClusterError) -> (status: Int32, output: String) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw ClusterError("cannot make a pipe", errno: errno) }
    _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    defer { close(ends[0]) }
    let processID: pid_t
    do throws(ClusterError) {
      defer { close(ends[1]) }
      processID = try start(output: ends[1])
    } catch {
      throw error
    }
    let output = FileSystem.drain(ends[0], limit: Self.outputLimit)
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0 && errno == EINTR {}
    let signal = status & 0x7f
    return (signal == 0 ? (status >> 8) & 0xff : 128 + signal, String(decoding: output, as: UTF8.self))
  }

  /// Nothing of our environment but what a program needs to be found and to run: no secrets, no `PG…` settings.
  private static var environment: [String] {
    let names = ["PATH", "TZ", "LD_LIBRARY_PATH", "TMPDIR"]
    let kept = names.compactMap { (name: String) in getenv(name).map { "\(name)=\(String(cString: $0))" } }
    return kept + ["LC_ALL=C"]
  }
}
