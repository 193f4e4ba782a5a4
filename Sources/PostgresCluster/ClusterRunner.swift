import Glibc
import Synchronization

/// One use of a cluster: holds its locks, starts, watches and stops it.
///
/// `@unchecked Sendable`: start and stop are called one after another under ``PrivateCluster``'s lock; the thread of the
/// supervision uses constants, the start lock (each with a descriptor of its own) and the atomics.
final class ClusterRunner: @unchecked Sendable {
  static let pollMicroseconds: UInt32 = 20_000
  /// How often the supervision looks whether Postgres lives.
  static let watchMilliseconds: Int32 = 100
  /// The pause after a restart that failed.
  static let restartPauseMilliseconds: Int32 = 1000
  /// A log longer than this is put aside when Postgres starts.
  static let maximumLogBytes: Int64 = 16 << 20
  /// How much of the log an error quotes.
  static let quotedLogBytes = 1500
  static let ownerName = "postgres"

  let configuration: ClusterConfiguration
  let layout: ClusterLayout
  let onEvent: @Sendable (ClusterEvent) -> Void
  private let useLock: FileLock
  let currentProcess = Atomic<Int32>(0)
  let isEnding = Atomic<Bool>(false)
  private var thread: pthread_t?
  private var wakeEnds: [Int32] = []

  init(
    _ configuration: ClusterConfiguration, layout: ClusterLayout, onEvent: @escaping @Sendable (ClusterEvent) -> Void
  ) throws(ClusterError) {
    self.configuration = configuration
    self.layout = layout
    self.onEvent = onEvent
    useLock = try FileLock(path: layout.useLock)
  }

  deinit { for end in wakeEnds { close(end) } }

  func start() throws(ClusterError) -> ClusterConnection {
    let deadline = ContinuousClock.now + configuration.startTimeout
    let startLock = try FileLock(path: layout.startLock)
    try startLock.lock(.exclusive, until: deadline)
    try useLock.lock(.shared, until: deadline)
    let wasInitialized = !layout.isInitialized
    let binaries = try PostgresBinaries.find(
      explicit: configuration.binaryDirectory, required: wasInitialized ? nil : layout.majorVersion)
    if wasInitialized { try initialize(binaries) }
    let (postmaster, wasAdopted) = try ensureRunning(binaries, until: deadline)
    try ensureDatabase(postmaster)
    currentProcess.store(postmaster.processID, ordering: .relaxed)
    let name = configuration.databaseName
    return ClusterConnection(
      conninfo: "host=\(postmaster.socketDirectory) port=5432 user=\(Self.ownerName) dbname=\(name)",
      wasAdopted: wasAdopted, wasInitialized: wasInitialized, processID: postmaster.processID,
      socketDirectory: postmaster.socketDirectory, logPath: layout.log)
  }

  /// Ends this use; true if that stopped the cluster.
  func stop() throws(ClusterError) -> Bool {
    endSupervision()
    joinSupervision()
    let startLock = try FileLock(path: layout.startLock)
    try startLock.lock(.exclusive, until: .now + configuration.startTimeout)
    useLock.unlock()
    guard useLock.tryLock(.exclusive) else { return false }
    defer { useLock.unlock() }
    guard let postmaster = Postmaster.running(in: layout.cluster) else { return true }
    try shutDown(postmaster)
    // Ours, and empty now; made again at the next start.
    rmdir(postmaster.socketDirectory)
    return true
  }

  private func shutDown(_ postmaster: Postmaster) throws(ClusterError) {
    // Fast: sessions are ended, everything is written. Immediate, if that does not end: recovery at the next start.
    for signal in [SIGINT, SIGQUIT] {
      guard kill(postmaster.processID, signal) == 0 || errno == ESRCH else {
        throw ClusterError("cannot stop postgres (process \(postmaster.processID))", errno: errno)
      }
      let deadline = ContinuousClock.now + configuration.stopTimeout
      while ContinuousClock.now < deadline {
        if !Postmaster.isAlive(postmaster.processID) { return }
        usleep(Self.pollMicroseconds)
      }
    }
    throw ClusterError("postgres (process \(postmaster.processID)) does not stop")
  }

  private func ensureDatabase(_ postmaster: Postmaster) throws(ClusterError) {
    let name = configuration.databaseName
    guard !name.isEmpty, name.utf8.allSatisfy({ ClusterLayout.isUsableForSocket(String(UnicodeScalar($0))) }),
      !name.contains("/")
    else { throw ClusterError("the name of the database may have letters, digits, _ and - only: \(name)") }
    let answer = WireSession.open(
      socketDirectory: postmaster.socketDirectory, user: Self.ownerName, database: "postgres")
    guard case .ready(let session) = answer else { throw ClusterError("the database stopped answering") }
    if try session.run("select 1 from pg_database where datname = '\(name)'") == 0 {
      _ = try session.run("create database \"\(name)\"")
    }
  }
}

// MARK: - Supervision

extension ClusterRunner {
  func beginSupervision() throws(ClusterError) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw ClusterError("cannot make a pipe", errno: errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    wakeEnds = ends
    let argument = Unmanaged.passRetained(self)
    var new = pthread_t()
    // The thread takes no signals: those are for who expects them.
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    let status = pthread_create(&new, nil, supervisionEntry, argument.toOpaque())
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    guard status == 0 else {
      argument.release()
      throw ClusterError("cannot start a thread to supervise the database", errno: status)
    }
    thread = new
  }

  func endSupervision() {
    guard !isEnding.exchange(true, ordering: .acquiringAndReleasing), wakeEnds.count == 2 else { return }
    var byte: UInt8 = 0
    _ = write(wakeEnds[1], &byte, 1)
  }

  fileprivate func joinSupervision() {
    if let thread = thread.take() { pthread_join(thread, nil) }
  }

  fileprivate func supervise() {
    while !isEnding.load(ordering: .acquiring) {
      let processID = currentProcess.load(ordering: .relaxed)
      if Postmaster.isAlive(processID) {
        pause(Self.watchMilliseconds)
        continue
      }
      onEvent(.died(processID: processID))
      while !isEnding.load(ordering: .acquiring), !restart() { pause(Self.restartPauseMilliseconds) }
    }
  }

  private func restart() -> Bool {
    do throws(ClusterError) {
      let deadline = ContinuousClock.now + configuration.startTimeout
      let startLock = try FileLock(path: layout.startLock)
      try startLock.lock(.exclusive, until: deadline) { isEnding.load(ordering: .acquiring) }
      let binaries = try PostgresBinaries.find(
        explicit: configuration.binaryDirectory, required: layout.majorVersion)
      let (postmaster, _) = try ensureRunning(binaries, until: deadline)
      currentProcess.store(postmaster.processID, ordering: .relaxed)
      onEvent(.restarted(processID: postmaster.processID))
      return true
    } catch {
      if !isEnding.load(ordering: .acquiring) { onEvent(.restartFailed(error)) }
      return false
    }
  }

  /// Waits a while, or until the supervision is to end.
  private func pause(_ milliseconds: Int32) {
    var entry = pollfd(fd: wakeEnds[0], events: Int16(POLLIN), revents: 0)
    poll(&entry, 1, milliseconds)
  }
}

private let supervisionEntry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<ClusterRunner>.fromOpaque(argument).takeRetainedValue().supervise() }
  return nil
}
