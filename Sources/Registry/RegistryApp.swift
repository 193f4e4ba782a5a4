import Cryptography
public import KeyRecords
import Postgres
public import RegistryAPI

/// One app of a ``Registry``. Every call may come from any loop, and goes on there.
public final class RegistryApp: Sendable {
  /// The app.
  public let id: AppID

  private let core: RegistryCore
  private let memory: AppMemory
  let reading: UserReading
  private let commitPath: CommitPath
  private let nonces: RequestNonces
  private let registrarKey: VerifyingKey

  init(
    _ memory: AppMemory, core: RegistryCore, follower: Follower, commitPath: CommitPath, nonces: RequestNonces,
    registrarKey: VerifyingKey
  ) {
    id = memory.id
    self.core = core
    self.memory = memory
    self.commitPath = commitPath
    self.nonces = nonces
    self.registrarKey = registrarKey
    reading = UserReading(core: core, memory: memory, follower: follower)
  }

  /// The app now. From memory.
  public func snapshot() throws(RegistryUnavailable) -> AppSnapshot {
    let picture = memory.picture
    guard let policy = picture.policies.current else { throw RegistryUnavailable("the app has no policy") }
    return AppSnapshot(
      app: id, policy: policy, policyEntries: picture.policyEntries, index: picture.index, users: picture.userCount,
      time: try core.clock.now(notBefore: picture.lastAccepted), registrarKey: registrarKey)
  }

  // MARK: Reading

  /// Whether the policy in force keeps what is read to members. From memory, without a lock.
  public var isForMembers: Bool { memory.isForMembers }

  /// Whether users are kept in memory at all.
  public var remembersUsers: Bool { core.index.isEnabled }

  /// Gives the record that `GET …/keys/{user}` answers with, and its hash, to `body`, where memory knows them without a
  /// look at the clock. Nil, without a call of `body`, says nothing about the user.
  ///
  /// - Parameter body: Runs under a lock of the memory: it copies the bytes and returns.
  public func withRememberedKey<Result: Sendable>(_ id: UserID, _ body: (RecordHash, Span<UInt8>) -> Result) -> Result?
  {
    reading.withRememberedHead(id) { head in head.withRecord { body(head.recordHash, $0) } }
  }

  /// Notes that ``withRememberedKey(_:_:)`` will be asked for a user, for ``Registry/prefetch(_:)``.
  public func expect(_ id: UserID, among users: inout ExpectedUsers) { users.keys.append(memory.key(id)) }

  /// Users of one moment in the order of their ids, where all that is to be known of them is known without the database,
  /// and each comes once. Nil says nothing.
  public func remembered(_ ids: [UserID]) -> RememberedUsers? { reading.remembered(ids) }

  /// Reads the entry that `GET …/keys/{user}` answers with, of a user whom memory has not, without a task. Users that are
  /// asked for at about the same time are read together.
  ///
  /// - Parameter completion: Called once, on the loop of the caller. Nil says nothing about the user.
  /// - Returns: False, and `completion` is not called, where memory has the user, or off the loops.
  public func readKey(
    _ id: UserID, completion: @escaping @Sendable (Result<StoredEntry?, RegistryUnavailable>) -> Void
  ) -> Bool {
    reading.read(id) { result in
      completion(
        result.map { user in
          if case .record(let entry)? = user?.key { entry } else { nil }
        })
    }
  }

  /// A user now; nil if nobody has claimed the id.
  ///
  /// Does not suspend where memory has the answer.
  public nonisolated(nonsending) func user(_ id: UserID) async throws(RegistryUnavailable) -> UserSnapshot? {
    try await reading.user(id)
  }

  /// Users of one moment. Does not suspend where memory has all of them.
  ///
  /// - Parameter byteLimit: When the records take this many bytes, the users that memory has not are left unread.
  public nonisolated(nonsending) func users(
    _ ids: [UserID], byteLimit: Int = APILimits.resolveAnswerBytes
  ) async throws(RegistryUnavailable) -> ResolvedUsers {
    try await reading.users(ids, byteLimit: byteLimit)
  }

  /// Gives users of one moment to what `makeSink` makes for them, each of the ids once, in any order.
  ///
  /// - Parameters:
  ///   - ids: Each once.
  ///   - byteLimit: As in ``users(_:byteLimit:)``.
  ///   - makeSink: Is told up to where the answer is complete.
  public nonisolated(nonsending) func read<Sink: UserSink>(
    _ ids: [UserID], byteLimit: Int = APILimits.resolveAnswerBytes, into makeSink: (AsOf) -> Sink
  ) async throws(RegistryUnavailable) -> Sink {
    try await reading.read(ids, byteLimit: byteLimit, into: makeSink)
  }

  /// Entries in the order of their indexes, as JSON Lines: those after `after`, or all without it, at most `limit` (and
  /// at most as many as a page of `export` may have). Empty past the end.
  public nonisolated(nonsending) func export(
    after: Int64?, limit: Int = APILimits.exportEntries.upperBound
  ) async throws(RegistryUnavailable) -> [UInt8] {
    var text: [UInt8] = []
    for entry in try await entries(after: after, limit: limit) {
      text += entry.text
      text.append(UInt8(ascii: "\n"))
    }
    return text
  }

  /// The same entries as values.
  public nonisolated(nonsending) func entries(
    after: Int64?, limit: Int
  ) async throws(RegistryUnavailable) -> [StoredEntry] {
    let count = min(max(limit, 0), APILimits.exportEntries.upperBound)
    let rows = try await core.query(
      Statements.export, [.text(id.text), .int8(after ?? -1), .int8(memory.applied), .int8(Int64(count))])
    return try core.unavailable { try rows.map { try StoredEntry($0) } }
  }

  // MARK: Writing

  /// Submits a record, policy or adjudication, and returns when what became of it is durable.
  ///
  /// - Throws: ``RegistryUnavailable``: what became of it is not known here. Sent again, it is accepted if it was not,
  ///   and ``SubmissionOutcome/repeated(_:)`` if it was.
  public nonisolated(nonsending) func submit(
    _ body: SubmissionBody
  ) async throws(RegistryUnavailable) -> SubmissionOutcome {
    // Worked out here, on the loop of who submits, and kept with the record: not under the lock.
    if let claim = body.submission.record, claim.action == .claim, try snapshot().policy.rules.boundSince != nil {
      _ = BoundID.isBound(claim)
    }
    return try await commitPath.submit(body, to: memory)
  }

  /// What would become of a submission now. Changes nothing, and uses nothing up.
  public nonisolated(nonsending) func dryRun(
    _ body: SubmissionBody
  ) async throws(RegistryUnavailable) -> Result<DryRunAnswer, Refusal> {
    try await DryRunning(core: core, memory: memory, reading: reading).run(body)
  }

  // MARK: Members

  /// Uses the nonce of a member's request, of all instances at most once; false if it was used before. The request was
  /// checked by the caller: whoever is not the signer must not be able to use up a nonce.
  ///
  /// - Throws: ``RegistryUnavailable``: it may or may not be used now; the member signs another request.
  public nonisolated(nonsending) func useRequestNonce(
    of request: AccessRequest
  ) async throws(RegistryUnavailable) -> Bool {
    try await nonces.use(request, in: id, now: try core.clock.now(notBefore: memory.lastAccepted))
  }

  // MARK: The feed

  /// Calls `handler` with everything that is published from now on, in the order of indexes.
  ///
  /// It is called on the commit loop: it hands over and returns. What came before is read by
  /// ``export(after:limit:)``, up to ``FeedSubscription/startIndex``.
  public func subscribe(_ handler: @escaping @Sendable (FeedBatch) -> Void) -> FeedSubscription {
    memory.subscribe(handler)
  }
}

/// Users whose keys will be asked for next.
public struct ExpectedUsers: Sendable {
  fileprivate(set) var keys: [MemoryShard.Key] = []

  /// None.
  public init() {}

  /// Forgets all, but keeps room for as many.
  public mutating func removeAll() { keys.removeAll(keepingCapacity: true) }
}
