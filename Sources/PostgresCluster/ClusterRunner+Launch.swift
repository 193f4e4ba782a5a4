import Glibc
import Synchronization

extension ClusterRunner {
  /// Makes the cluster beside its place and moves it there when it is whole.
  func initialize(_ binaries: PostgresBinaries) throws(ClusterError) {
    FileSystem.removeTree(layout.unfinishedCluster)
    try FileSystem.makePrivateDirectory(layout.unfinishedCluster, owner: layout.owner)
    let arguments = [
      binaries.initdb, "--pgdata=\(layout.unfinishedCluster)", "--username=\(Self.ownerName)", "--encoding=UTF8",
      "--locale=C", "--data-checksums",
      // Who reaches the socket in its private folder is the owner, or root.
      "--auth-local=trust", "--auth-host=reject",
    ]
    let (status, output) = try ChildProcess(arguments, as: layout.owner).run()
    guard status == 0 else {
      let tail = output.split(separator: "\n").suffix(5).joined(separator: "; ")
      throw ClusterError("cannot make a database cluster in \(layout.directory): \(tail)")
    }
    guard rename(layout.unfinishedCluster, layout.cluster) == 0 else {
      throw ClusterError("cannot move the new cluster to \(layout.cluster)", errno: errno)
    }
    let folder = open(layout.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// The postmaster that runs and answers, started if need be. The start lock is held.
  func ensureRunning(
    _ binaries: PostgresBinaries, until deadline: ContinuousClock.Instant
  ) throws(ClusterError) -> (Postmaster, wasAdopted: Bool) {
    if let running = Postmaster.running(in: layout.cluster),
      let ready = try waitUntilReady(running.processID, until: deadline)
    {
      return (ready, true)
    }
    try waitForOrphans(until: deadline)
    // Nothing works in the cluster: the file is left over, and its process id may by now be another's.
    unlink("\(layout.cluster)/postmaster.pid")
    let processID = try launch(binaries)
    guard let ready = try waitUntilReady(processID, until: deadline) else {
      let tail = FileSystem.read(layout.log, last: Self.quotedLogBytes) ?? ""
      let lines = tail.split(separator: "\n").suffix(4).joined(separator: "; ")
      throw ClusterError("postgres did not start: \(lines) (see \(layout.log))")
    }
    return (ready, false)
  }

  /// Waits until the process takes connections; nil if it ends instead.
  private func waitUntilReady(
    _ processID: pid_t, until deadline: ContinuousClock.Instant
  ) throws(ClusterError) -> Postmaster? {
    while Postmaster.isAlive(processID) {
      if let running = Postmaster.running(in: layout.cluster), running.processID == processID, running.isReady,
        case .ready = WireSession.open(
          socketDirectory: running.socketDirectory, user: Self.ownerName, database: "postgres")
      {
        return running
      }
      guard ContinuousClock.now < deadline else {
        throw ClusterError("postgres (process \(processID)) does not become ready (see \(layout.log))")
      }
      if isEnding.load(ordering: .acquiring) { throw ClusterError("gave up waiting for postgres") }
      usleep(Self.pollMicroseconds)
    }
    return nil
  }

  /// Waits until what a killed postmaster left behind has noticed and is gone.
  private func waitForOrphans(until deadline: ContinuousClock.Instant) throws(ClusterError) {
    while let orphan = Postmaster.processes(in: layout.cluster).first {
      guard ContinuousClock.now < deadline else {
        throw ClusterError("process \(orphan) of a crashed postgres does not end: stop it, then try again")
      }
      if isEnding.load(ordering: .acquiring) { throw ClusterError("gave up waiting for postgres") }
      usleep(Self.pollMicroseconds)
    }
  }

  private func launch(_ binaries: PostgresBinaries) throws(ClusterError) -> pid_t {
    let socketDirectory = try layout.makeSocketDirectory()
    let log = try openLog()
    defer { close(log) }
    var arguments = [binaries.postgres, "-D", layout.cluster]
    for (name, value) in settings(socketDirectory) { arguments += ["-c", "\(name)=\(value)"] }
    return try ChildProcess(arguments, as: layout.owner).start(output: log)
  }

  private func settings(_ socketDirectory: String) -> [(name: String, value: String)] {
    [
      ("listen_addresses", ""), ("port", "5432"), ("unix_socket_directories", socketDirectory),
      ("unix_socket_permissions", "0700"), ("fsync", "on"), ("full_page_writes", "on"),
      ("logging_collector", "off"), ("log_destination", "stderr"), ("log_checkpoints", "off"),
      ("cluster_name", "peerstack-registrar"),
    ] + configuration.settings
  }

  private func openLog() throws(ClusterError) -> Int32 {
    if let status = FileSystem.status(layout.log), Int64(status.st_size) > Self.maximumLogBytes {
      rename(layout.log, "\(layout.log).1")
    }
    let log = open(layout.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard log >= 0 else { throw ClusterError("cannot open the log \(layout.log)", errno: errno) }
    return log
  }
}
