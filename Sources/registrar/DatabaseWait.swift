import KeyRecords
import Logging
import Postgres
import Registry

/// Waits until a named database answers: a registrar may be started before its database, or together with it.
struct DatabaseWait {
  /// How long a registrar waits unless told otherwise.
  static let standard: Milliseconds = 30_000
  /// The longest that can be asked for.
  static let longest: Milliseconds = 86_400_000

  /// For one attempt, so that a signal is heeded soon where nothing answers at all.
  private static let attempt: Duration = .seconds(3)
  private static let pause: Duration = .milliseconds(500)

  /// How long, in milliseconds; 0: it does not wait, and the start itself tells what is wrong.
  let limit: Milliseconds
  let logger: Logger

  /// Returns when the database answers, be it with a refusal: of that the start tells.
  ///
  /// - Returns: whether it answers; false if a signal came first.
  /// - Throws: `RegistryStartError.databaseUnavailable` when the time is over.
  func untilAnswered(_ postgres: PostgresConfiguration, or shutdown: ShutdownSignal) async throws -> Bool {
    guard limit > 0 else { return true }
    let deadline = ContinuousClock.now + .milliseconds(limit)
    var told: String?
    while let reason = await Self.absence(of: postgres) {
      let left = deadline - .now
      guard left > .zero else {
        throw RegistryStartError.databaseUnavailable("\(reason) (waited \(limit / 1_000) s)")
      }
      if told != reason {
        logger.notice("waiting for the database: \(reason)", metadata: ["limit": "\(limit / 1_000) s"])
        told = reason
      }
      if shutdown.comes(within: min(left, Self.pause)) { return false }
    }
    if told != nil { logger.notice("the database answers") }
    return true
  }

  /// Why the database is away; nil if it is there.
  private static func absence(of postgres: PostgresConfiguration) async -> String? {
    var postgres = postgres
    postgres.connectTimeout = attempt
    do {
      _ = try await Registry.migrationRunner(postgres).status()
      return nil
    } catch {
      guard let error = error as? PostgresError, error.isAbsence else { return nil }
      return error.description
    }
  }
}
