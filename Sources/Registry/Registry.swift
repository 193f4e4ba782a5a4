public import Cryptography
public import KeyRecords
public import Postgres
import Synchronization

/// The service behind the protocol: decides, stores, remembers and tells. Speaks no HTTP.
///
/// Any number of them may run on one database. Reads are answered from memory where it can; everything goes on by itself
/// after the database was away.
public final class Registry: Sendable {
  /// The role the service works as: it can read everything of the registry and cannot change or delete an entry.
  public static let databaseRole = "peerstack_registrar"

  /// The registrar's key: made with the database, the same for all instances.
  public let signingKey: SigningKey

  let core: RegistryCore
  private let follower: Follower
  private let commitPath: CommitPath
  private let nonces: RequestNonces
  private let known = Mutex<[AppID: RegistryApp]>([:])
  private let first = Mutex<AppID?>(nil)

  private init(signingKey: SigningKey, core: RegistryCore, follower: Follower, commitPath: CommitPath) {
    self.signingKey = signingKey
    self.core = core
    self.follower = follower
    self.commitPath = commitPath
    nonces = RequestNonces(core)
  }

  /// Connects, checks the schema, and is ready. Reads no users: what they are is read when somebody asks, after a crash
  /// as after anything else. To be balanced by ``stop()``.
  ///
  /// - Parameters:
  ///   - readLoops: Where reads come from, at least one: each gets connections of its own.
  ///   - commitLoop: Where submissions are judged and committed, and other instances listened to.
  /// - Throws: ``RegistryStartError``, or `MigrationError` if a migration fails.
  public static func start(
    _ configuration: RegistryConfiguration, readLoops: [any PostgresLoop], commitLoop: any PostgresLoop
  ) async throws -> Registry {
    try await prepareSchema(configuration)
    var configuration = configuration
    configuration.postgres = serviceConfiguration(configuration.postgres)
    let core = RegistryCore(configuration, readLoops: readLoops, commitLoop: commitLoop)
    let follower = Follower(core)
    let commitPath = CommitPath(core, follower: follower)
    do {
      let key = try await registrarKey(core.sessions[0])
      try await core.reachAll()
      try follower.start()
      return Registry(signingKey: key, core: core, follower: follower, commitPath: commitPath)
    } catch {
      core.close()
      await commitPath.drain()
      throw RegistryStartError.databaseUnavailable("\(error)")
    }
  }

  /// The key in the database, made if there is none. Of several instances that make one, the first decides.
  private static func registrarKey(_ session: PostgresSession) async throws -> SigningKey {
    let seed = try await session.transaction { transaction in
      let new = SigningKey.generate().withSeed { span in span.withUnsafeBufferPointer { Array($0) } }
      try await transaction.query(Statements.insertRegistrarKey, [.bytea(new)])
      return try await transaction.query(Statements.registrarKey).first?.bytes(0)
    }
    guard let key = seed.flatMap({ SigningKey(seed: $0) }) else {
      throw PostgresError(.unexpectedResult, "the registrar's key in the database is none")
    }
    return key
  }

  /// Ends everything: what waits fails with ``RegistryUnavailable``. The loops may stop afterwards.
  public func stop() async {
    follower.stop()
    core.close()
    await commitPath.drain()
    await nonces.drain()
    for loop in core.readers.map(\.loop) + [core.commitLoop] {
      await withCheckedContinuation { continuation in loop.execute { continuation.resume() } }
    }
  }

  /// Whether the database answers, reads on every loop and transactions, and its schema is the one this program knows.
  public var isReady: Bool {
    !core.isStopped && core.commitReader.pool.isAvailable && core.readers.allSatisfy(\.pool.isAvailable)
      && core.sessions.allSatisfy(\.isAvailable) && core.shortSession.isAvailable && follower.isContent
  }

  /// Counts, and how things stand.
  public var metrics: RegistryMetrics {
    var metrics = RegistryMetrics()
    commitPath.addCounts(to: &metrics)
    core.index.addCounts(to: &metrics)
    metrics.clockHeldBack = core.clock.heldBackCount
    metrics.isClockRight = core.clock.isRight
    metrics.isDatabaseUp = core.commitReader.pool.isAvailable
    return metrics
  }

  // MARK: Apps

  /// An app; nil if there is none of that id. Does not suspend where it is known.
  public nonisolated(nonsending) func app(_ id: AppID) async throws(RegistryUnavailable) -> RegistryApp? {
    if let app = known.withLock({ $0[id] }) { return app }
    guard let memory = try await core.load(id) else { return nil }
    return known.withLock { known in
      if let app = known[id] { return app }
      let app = RegistryApp(
        memory, core: core, follower: follower, commitPath: commitPath, nonces: nonces,
        registrarKey: signingKey.verifyingKey)
      known[id] = app
      return app
    }
  }

  /// Has the memory of users fetched, so that the waits for it overlap. It changes nothing but how long answers take.
  public func prefetch(_ users: ExpectedUsers) {
    if core.index.isEnabled { core.index.prefetch(users.keys) }
  }

  /// An app that has been asked for before; nil says nothing.
  public func remembered(_ id: AppID) -> RegistryApp? { known.withLock { $0[id] } }

  /// The ids of all apps, the one that was created first in front.
  public nonisolated(nonsending) func appIDs() async throws(RegistryUnavailable) -> [AppID] {
    let rows = try await core.query(Statements.listApps, [])
    return try core.unavailable { try rows.compactMap { AppID(try $0.text(0)) } }
  }

  /// The app that was created first, which the root's `peer-host-info` answers for. Does not suspend where it is known.
  public nonisolated(nonsending) func firstApp() async throws(RegistryUnavailable) -> RegistryApp? {
    if let id = first.withLock(\.self) { return try await app(id) }
    guard let id = try await appIDs().first else { return nil }
    first.withLock { $0 = id }
    return try await app(id)
  }

  /// Creates an app by its first policy, for the operator (protocol §7).
  ///
  /// Of an app that exists, the same policy is ``SubmissionOutcome/repeated(_:)`` and another is refused.
  public nonisolated(nonsending) func createApp(
    _ policyText: [UInt8], id: AppID
  ) async throws(RegistryUnavailable) -> SubmissionOutcome {
    try await AppCreation(core: core, session: commitPath.session(of: id)).run(policyText, id)
  }
}
