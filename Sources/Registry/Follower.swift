import Cryptography
import KeyRecords
import Logging
import Migrations
import Postgres
import Synchronization

/// Follows what other instances accept: a notification is a hint to look, a look at every few seconds makes up for those
/// that are lost, and the indexes are the truth. Works on the commit loop.
final class Follower: Sendable {
  /// The pause between two looks at the database.
  static let pollInterval: Duration = .seconds(2)
  /// Entries that are read at once.
  static let pageEntries: Int64 = 1_000

  private enum Progress {
    case running
    /// Asked for again while it ran.
    case runningAndAskedAgain
  }

  private let core: RegistryCore
  private let progress = Mutex<[AppID: Progress]>([:])
  private let listener = Mutex<NotificationListener?>(nil)
  private let lastPollSucceeded = Atomic<Bool>(true)
  private let isSchemaCurrent = Atomic<Bool>(true)

  init(_ core: RegistryCore) { self.core = core }

  /// Whether the database answered when it was last asked, and has the schema this program knows.
  var isContent: Bool {
    lastPollSucceeded.load(ordering: .relaxed) && isSchemaCurrent.load(ordering: .relaxed)
  }

  func start() throws(PostgresError) {
    let new = try NotificationListener(
      configuration: core.configuration.postgres, loop: core.commitLoop, channels: [Statements.channel],
      onNotification: { [weak self] in self?.heard($1) },
      onResync: { [weak self] in self?.catchUpAll() })
    listener.withLock { $0 = new }
    schedulePoll()
  }

  func stop() { listener.withLock { $0.take() }?.close() }

  // MARK: Hints

  /// A payload: an app, a space, its latest index.
  private func heard(_ payload: String) {
    let words = payload.split(separator: " ")
    guard words.count == 2, let app = AppID(words[0]), let index = Int64(words[1]), let memory = core.memory(of: app),
      index > memory.applied
    else { return }
    catchUp(memory)
  }

  private func catchUpAll() {
    for memory in core.known { catchUp(memory) }
  }

  // MARK: Polling

  private func schedulePoll() {
    core.commitLoop.execute { [weak self, core] in
      _ = core.commitLoop.schedule(after: Self.pollInterval) { [weak self] in
        guard let self, !self.core.isStopped else { return }
        Task.immediate(executorPreference: self.core.commitLoop) {
          await self.poll()
          self.schedulePoll()
        }
      }
    }
  }

  private nonisolated(nonsending) func poll() async {
    let time = core.configuration.clock()
    do {
      let rows = try await core.commitReader.pool.query(Statements.listApps)
      for row in rows {
        guard let app = AppID(try row.text(0)), let memory = core.memory(of: app) else { continue }
        let latest = try row.int64(1) - 1
        if latest > memory.applied { catchUp(memory) } else if latest == memory.applied { memory.vouch(at: time) }
      }
      noteSchema(try await isSchemaTheKnownOne())
      for session in core.sessions + [core.shortSession] {
        try await session.transaction(isReadOnly: true) { _ = try await $0.query(Statements.probe) }
      }
      notePoll(true)
    } catch {
      notePoll(false)
    }
  }

  private func notePoll(_ isSuccess: Bool) {
    guard lastPollSucceeded.exchange(isSuccess, ordering: .relaxed) != isSuccess, !core.isStopped else { return }
    if isSuccess {
      core.logger.notice("the database answers again")
    } else {
      core.logger.error("the database does not answer: memory answers what it can until it is back")
    }
  }

  private func noteSchema(_ isCurrent: Bool) {
    guard isSchemaCurrent.exchange(isCurrent, ordering: .relaxed) != isCurrent, !isCurrent else { return }
    core.logger.error("the schema is no longer the one this program knows: replace it by the program that migrated it")
  }

  private nonisolated(nonsending) func isSchemaTheKnownOne() async throws -> Bool {
    let rows = try await core.commitReader.pool.query(Statements.appliedMigrations)
    let applied = try rows.map { (try $0.text(0), try $0.bytes(1)) }
    return Dictionary(applied) { first, _ in first }
      == Dictionary(Registry.migrations.map { ($0.name, $0.hash) }) { first, _ in first }
  }

  // MARK: Catching up

  /// Reads what an app has beyond memory's picture, and publishes it. From any thread.
  func catchUp(_ memory: AppMemory) {
    let isNew = progress.withLock { progress in
      defer { progress[memory.id] = progress[memory.id] == nil ? .running : .runningAndAskedAgain }
      return progress[memory.id] == nil
    }
    guard isNew else { return }
    Task(executorPreference: core.commitLoop) { await self.run(memory) }
  }

  private nonisolated(nonsending) func run(_ memory: AppMemory) async {
    while true {
      let mark = memory.waiterMark
      do throws(RegistryUnavailable) {
        while try await readPage(memory) {}
        memory.failWaiters(before: mark, RegistryUnavailable("the database is behind what it had said before"))
      } catch {
        memory.failWaiters(before: mark, error)
      }
      let isDone = progress.withLock { progress in
        let isDone = progress[memory.id] == .running
        progress[memory.id] = isDone ? nil : .running
        return isDone
      }
      if isDone { return }
    }
  }

  /// True if there may be more.
  private nonisolated(nonsending) func readPage(_ memory: AppMemory) async throws(RegistryUnavailable) -> Bool {
    let time = core.configuration.clock()
    do {
      let rows = try await core.commitReader.pool.query(
        Statements.follow, [.text(memory.id.text), .int8(memory.applied), .int8(Self.pageEntries)])
      guard let first = rows.first else { return false }
      let userCount = try first.int64(0)
      let entries = try first.isNull(1) ? [] : try rows.map { try StoredEntry($0, from: 1) }
      let isWhole = entries.count < Self.pageEntries
      let isPublished = memory.publish(
        entries, whole: [:], userCount: isWhole ? userCount : nil, index: core.index)
      guard isPublished else { throw PostgresError(.unexpectedResult, "entries of \(memory.id) are missing") }
      if isWhole { memory.vouch(at: time) }
      return !isWhole
    } catch {
      throw core.unavailable(error)
    }
  }
}
