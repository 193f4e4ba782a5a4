import Cryptography
public import KeyRecords
import Postgres

/// How far an app's webhook has been told, kept in the database, and the right to go on: of all instances one has it at a
/// time, until its lease runs out or is given back.
public final class WebhookCursor: Sendable {
  /// The app.
  public let app: AppID
  private let core: RegistryCore
  private let lease: Duration
  private let holder: [UInt8]

  /// Bytes of the number that stands for an instance.
  private static let holderBytes = 16

  init(_ app: AppID, lease: Duration, core: RegistryCore) {
    self.app = app
    self.lease = lease
    self.core = core
    holder = Randomness.bytes(Self.holderBytes)
  }

  /// Sees to it that there is a cursor. A new one stands behind what the app has now, and at the beginning of an app that
  /// is still to be created: whoever prepares before entries are taken in loses none.
  public nonisolated(nonsending) func prepare() async throws(RegistryUnavailable) {
    try await core.change(Statements.insertWebhookCursor, [.text(app.text)])
  }

  /// Takes the right to deliver, or renews it. The index of the first entry that is not delivered; nil if another instance
  /// has the right.
  public nonisolated(nonsending) func take() async throws(RegistryUnavailable) -> Int64? {
    try nextIndex(
      await core.change(
        Statements.takeWebhookCursor, [.text(app.text), .bytea(holder), .int8(lease.wholeMilliseconds)]))
  }

  /// Notes that everything before `next` is delivered, and renews the right; false if another instance has it by now.
  public nonisolated(nonsending) func advance(to next: Int64) async throws(RegistryUnavailable) -> Bool {
    try await move(to: next, lease: lease.wholeMilliseconds) != nil
  }

  /// Notes that everything before `next` is delivered, and gives the right back.
  public nonisolated(nonsending) func release(at next: Int64) async throws(RegistryUnavailable) {
    _ = try await move(to: next, lease: 0)
  }

  private nonisolated(nonsending) func move(
    to next: Int64, lease: Int64
  ) async throws(RegistryUnavailable) -> Int64? {
    try nextIndex(
      await core.change(
        Statements.moveWebhookCursor, [.text(app.text), .bytea(holder), .int8(lease), .int8(next)]))
  }

  private func nextIndex(_ rows: PostgresRows) throws(RegistryUnavailable) -> Int64? {
    try core.unavailable { try rows.first?.int64(0) }
  }
}

extension Registry {
  /// The cursor of an app's webhook, for one who delivers.
  ///
  /// - Parameter lease: How long the right to deliver lasts when it is not renewed.
  public func webhookCursor(of app: AppID, lease: Duration) -> WebhookCursor {
    WebhookCursor(app, lease: lease, core: core)
  }
}
