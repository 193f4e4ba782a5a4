public import KeyRecords
public import RegistryAPI

/// One app of a ``Registry``. Every call may come from any loop, and goes on there.
public final class RegistryApp: Sendable {
  /// The app.
  public let id: AppID

  init(id: AppID) { self.id = id }

  /// The app now. From memory.
  public func snapshot() throws(RegistryUnavailable) -> AppSnapshot {
    preconditionFailure("not made yet")
  }

  // MARK: Reading

  /// A user now; nil if nobody has claimed the id.
  ///
  /// Does not suspend where memory has the answer.
  public nonisolated(nonsending) func user(_ id: UserID) async throws(RegistryUnavailable) -> UserSnapshot? {
    preconditionFailure("not made yet")
  }

  /// Users now, of one moment. Does not suspend where memory has all of them.
  public nonisolated(nonsending) func users(_ ids: [UserID]) async throws(RegistryUnavailable) -> ResolvedUsers {
    preconditionFailure("not made yet")
  }

  /// Entries in the order of their indexes, as JSON Lines: those after `after`, or all without it, at most `limit`.
  /// Empty past the end.
  public nonisolated(nonsending) func export(
    after: Int64?, limit: Int
  ) async throws(RegistryUnavailable) -> [UInt8] {
    preconditionFailure("not made yet")
  }

  // MARK: Writing

  /// Submits a record, policy or adjudication, and returns when what became of it is durable.
  ///
  /// - Throws: ``RegistryUnavailable``: what became of it is not known here; sent again, it is accepted or ``repeated``.
  public nonisolated(nonsending) func submit(
    _ body: SubmissionBody
  ) async throws(RegistryUnavailable) -> SubmissionOutcome {
    preconditionFailure("not made yet")
  }

  /// What would become of a submission now. Changes nothing, and uses nothing up.
  public nonisolated(nonsending) func dryRun(
    _ body: SubmissionBody
  ) async throws(RegistryUnavailable) -> Result<DryRun, Refusal> {
    preconditionFailure("not made yet")
  }

  // MARK: The feed

  /// Calls `handler` with everything that is published from now on, in the order of indexes.
  ///
  /// It is called on the commit loop: it hands over and returns. What came before is read by
  /// ``export(after:limit:)``, up to ``FeedSubscription/startIndex``.
  public func subscribe(_ handler: @escaping @Sendable (FeedBatch) -> Void) -> FeedSubscription {
    preconditionFailure("not made yet")
  }
}
