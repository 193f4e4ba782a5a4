public import Cryptography
public import KeyRecords
public import Postgres

/// The service behind the protocol: decides, stores, remembers and tells. Speaks no HTTP.
///
/// Any number of them may run on one database. Reads are answered from memory where it can; everything goes on by itself
/// after the database was away.
public final class Registry: Sendable {
  /// The role the service works as: it can read everything of the registry and cannot change or delete an entry.
  public static let databaseRole = "peerstack_registrar"

  /// The registrar's key: made with the database, the same for all instances.
  public let signingKey: SigningKey

  init(signingKey: SigningKey) { self.signingKey = signingKey }

  /// Connects, checks the schema, and is ready.
  ///
  /// - Parameters:
  ///   - readLoops: Where reads come from, at least one: each gets connections of its own.
  ///   - commitLoop: Where submissions are judged and committed, and other instances listened to.
  /// - Throws: ``RegistryStartError``, or `MigrationError`.
  public static func start(
    _ configuration: RegistryConfiguration, readLoops: [any PostgresLoop], commitLoop: any PostgresLoop
  ) async throws -> Registry {
    preconditionFailure("not made yet")
  }

  /// Ends everything: what waits fails with ``RegistryUnavailable``. The loops may stop afterwards.
  public func stop() async {
    preconditionFailure("not made yet")
  }

  /// Whether the database answers and its schema is the one this program knows.
  public var isReady: Bool { preconditionFailure("not made yet") }

  /// Counts, and how things stand.
  public var metrics: RegistryMetrics { preconditionFailure("not made yet") }

  /// An app; nil if there is none of that id. Does not suspend where it is known.
  public nonisolated(nonsending) func app(_ id: AppID) async throws(RegistryUnavailable) -> RegistryApp? {
    preconditionFailure("not made yet")
  }

  /// All apps, the first that was created first.
  public nonisolated(nonsending) func apps() async throws(RegistryUnavailable) -> [RegistryApp] {
    preconditionFailure("not made yet")
  }

  /// The app that was created first, which the root's `peer-host-info` answers for.
  public nonisolated(nonsending) func firstApp() async throws(RegistryUnavailable) -> RegistryApp? {
    try await apps().first
  }

  /// Creates an app by its first policy, for the operator (protocol §7).
  ///
  /// Of an app that exists, the same policy is ``SubmissionOutcome/repeated(_:)`` and another is refused.
  public nonisolated(nonsending) func createApp(
    _ policyText: [UInt8], id: AppID
  ) async throws(RegistryUnavailable) -> SubmissionOutcome {
    preconditionFailure("not made yet")
  }
}
