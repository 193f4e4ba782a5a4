/// The registry cannot answer now: the database is away, too much is waiting, or the clock is wrong. Nothing was
/// answered; a submission may or may not have been accepted, and sending it again is safe (protocol §5.2).
public struct RegistryUnavailable: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong, for logs; it holds no value from a request or a row.
  public let reason: String

  init(_ reason: String) { self.reason = reason }

  /// The reason.
  public var description: String { reason }
}

/// Why a registry does not start.
public enum RegistryStartError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The schema lacks migrations that this program needs: their names.
  case schemaIsOlder(missing: [String])
  /// The schema has migrations that this program does not know: their names.
  case schemaIsNewer(unknown: [String])
  /// A migration was applied in another form than this program has.
  case schemaIsOther(migration: String)
  /// The database cannot be used.
  case databaseUnavailable(String)

  /// What is wrong, and what to do.
  public var description: String {
    switch self {
    case .schemaIsOlder(let missing):
      "the schema is older than this program: \(missing.joined(separator: ", ")) are missing; run registrar migrate"
    case .schemaIsNewer(let unknown):
      "the schema is newer than this program: it does not know \(unknown.joined(separator: ", ")); use a newer program"
    case .schemaIsOther(let migration):
      "migration \(migration) was applied in another form than this program has: use the program that applied it"
    case .databaseUnavailable(let reason): "cannot use the database: \(reason)"
    }
  }
}
