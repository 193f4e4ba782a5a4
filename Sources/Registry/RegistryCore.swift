import KeyRecords
import Logging
import Postgres
import Synchronization

/// What all parts of a registry share.
final class RegistryCore: Sendable {
  let configuration: RegistryConfiguration
  let clock: RegistryClock
  let index: MemoryIndex
  let readers: [Reader]
  let commitLoop: any PostgresLoop
  /// The reader on the commit loop.
  let commitReader: Reader
  /// For transactions, on the commit loop.
  let sessions: [PostgresSession]
  /// For short transactions that wait for no app's lock, on the commit loop.
  let shortSession: PostgresSession
  private let memories = Mutex<[AppID: AppMemory]>([:])
  private let nextNumber = Atomic<Int32>(0)
  private let stopped = Atomic<Bool>(false)

  /// The connections of one loop.
  struct Reader: Sendable {
    let loop: any PostgresLoop
    let pool: PostgresPool
  }

  init(
    _ configuration: RegistryConfiguration, readLoops: [any PostgresLoop], commitLoop: any PostgresLoop
  ) {
    precondition(!readLoops.isEmpty, "reads need a loop")
    self.configuration = configuration
    self.commitLoop = commitLoop
    clock = RegistryClock(configuration)
    index = MemoryIndex(bytes: configuration.memoryBytes)
    let postgres = Self.planningOnce(configuration.postgres)
    readers = readLoops.map { loop in
      let count = max(1, configuration.readConnectionsPerLoop)
      return Reader(loop: loop, pool: PostgresPool(configuration: postgres, loop: loop, connections: count))
    }
    commitReader = Reader(
      loop: commitLoop, pool: PostgresPool(configuration: postgres, loop: commitLoop, connections: 1))
    sessions = (0..<CommitPath.sessions).map { _ in PostgresSession(configuration: postgres, loop: commitLoop) }
    shortSession = PostgresSession(configuration: postgres, loop: commitLoop)
  }

  /// Connections that plan each statement once. Left to itself, Postgres thinks an array of one user cheaper than one of
  /// unknown length, and so plans every look-up anew, which takes it longer than the look-up; and a plan that it keeps
  /// from a time when there was next to nothing reads whole tables later. Since a plan stays until the statistics
  /// change, it must suit a table that grows: it goes by an index even while a scan would be cheaper.
  static func planningOnce(_ configuration: PostgresConfiguration) -> PostgresConfiguration {
    var configuration = configuration
    configuration.furtherSettings["plan_cache_mode"] = "force_generic_plan"
    configuration.furtherSettings["enable_seqscan"] = "off"
    // What has no index is scanned all the same, at a price that has Postgres compile it first, for longer than it runs.
    configuration.furtherSettings["jit"] = "off"
    return configuration
  }

  var logger: Logger { configuration.logger }
  var isStopped: Bool { stopped.load(ordering: .acquiring) }

  /// The reader of the loop that the caller runs on; elsewhere the first.
  var reader: Reader {
    for reader in readers where reader.loop.isCurrent { return reader }
    return commitLoop.isCurrent ? commitReader : readers[0]
  }

  /// Asks over all sessions, and on each loop: when this returns, they have connections.
  nonisolated(nonsending) func reachAll() async throws {
    for session in sessions + [shortSession] {
      try await session.transaction(isReadOnly: true) { _ = try await $0.query(Statements.probe) }
    }
    for reader in readers + [commitReader] { _ = try await reader.pool.query(Statements.probe) }
  }

  func close() {
    stopped.store(true, ordering: .releasing)
    for reader in readers { reader.pool.close() }
    commitReader.pool.close()
    for session in sessions { session.close() }
    shortSession.close()
  }

  // MARK: Apps

  /// The apps in memory.
  var known: [AppMemory] { memories.withLock { Array($0.values) } }

  func memory(of app: AppID) -> AppMemory? { memories.withLock { $0[app] } }

  /// An app, from the database if memory has it not; nil if there is none.
  nonisolated(nonsending) func load(_ app: AppID) async throws(RegistryUnavailable) -> AppMemory? {
    if let memory = memory(of: app) { return memory }
    let rows = try await query(Statements.loadApp, [.text(app.text)])
    guard !rows.isEmpty else { return nil }
    let picture = try unavailable { try Self.picture(of: app, rows) }
    let number = nextNumber.add(1, ordering: .relaxed).newValue
    let new = AppMemory(id: app, number: number, picture: picture, now: configuration.clock())
    // Whoever comes second takes the first one's: that is the one which is followed.
    return memories.withLock { memories in
      if let other = memories[app] { return other }
      memories[app] = new
      return new
    }
  }

  private static func picture(of app: AppID, _ rows: PostgresRows) throws -> AppMemory.Picture {
    var picture = AppMemory.Picture(
      index: try rows[0].int64(0) - 1, policies: AppHistory(app: app), policyEntries: [],
      userCount: try rows[0].int64(2), lastAccepted: try rows[0].int64(1))
    for row in rows {
      let entry = try StoredEntry(row, from: 3)
      guard let opened = entry.opened(app: app) else { throw tampered(entry.index) }
      picture.policies.append(opened)
      picture.policyEntries.append(entry)
    }
    return picture
  }

  /// What is thrown where a stored record is not what was stored.
  static func tampered(_ index: Int64) -> PostgresError {
    PostgresError(.unexpectedResult, "the record of entry \(index) cannot be read: run registrar check")
  }

  // MARK: Asking

  /// Reads with the connections of the caller's loop.
  nonisolated(nonsending) func query(
    _ statement: PreparedStatement, _ parameters: [PostgresValue]
  ) async throws(RegistryUnavailable) -> PostgresRows {
    do {
      return try await reader.pool.query(statement, parameters)
    } catch {
      throw unavailable(error)
    }
  }

  /// Runs a statement that changes something beside the commit path, and commits. It must not wait long for a lock.
  ///
  /// - Throws: ``RegistryUnavailable``: it may or may not have happened.
  @discardableResult
  nonisolated(nonsending) func change(
    _ statement: PreparedStatement, _ parameters: [PostgresValue]
  ) async throws(RegistryUnavailable) -> PostgresRows {
    do {
      return try await shortSession.transaction { try await $0.commit(after: [(statement, parameters)])[0] }
    } catch {
      throw unavailable(error)
    }
  }

  /// Says that the registry is unavailable because of an error; one that is not an absence of the database is logged.
  func unavailable(_ error: any Error) -> RegistryUnavailable {
    if let error = error as? RegistryUnavailable { return error }
    guard let error = error as? PostgresError else { return RegistryUnavailable("the call was cancelled") }
    if !error.isAbsence { logger.error("the database did not do what was asked", metadata: ["error": "\(error)"]) }
    return RegistryUnavailable(error.description)
  }

  /// Runs what reads an answer.
  func unavailable<T>(_ body: () throws -> T) throws(RegistryUnavailable) -> T {
    do { return try body() } catch { throw unavailable(error) }
  }
}
