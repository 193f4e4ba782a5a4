/// One step of the schema.
public struct Migration: Sendable, Hashable {
  /// How many bytes a hash has: SHA-256.
  public static let hashBytes = 32

  /// Its name; migrations are applied in the order in which they are given.
  public let name: String
  /// Its statements, run as one transaction: none of them may begin or end one.
  public let sql: String
  /// SHA-256 of `sql`, which the caller computes.
  public let hash: [UInt8]

  /// A migration.
  ///
  /// - Precondition: the hash has 32 bytes.
  public init(name: String, sql: String, hash: [UInt8]) {
    precondition(hash.count == Self.hashBytes)
    self.name = name
    self.sql = sql
    self.hash = hash
  }
}

/// How the schema of a database stands to the migrations that a program knows.
public enum SchemaStatus: Sendable, Hashable {
  /// Exactly the known migrations have been applied.
  case upToDate
  /// Known migrations have not been applied: their names, in order.
  case older(missing: [String])
  /// Migrations have been applied that the program does not know: their names.
  case newer(unknown: [String])
  /// A migration has been applied in another form than the program knows it.
  case changed(name: String)

  /// Compares what was applied with what is known. What is worse is reported first: changed, newer, older.
  init(applied: [(name: String, hash: [UInt8])], known: [Migration]) {
    let hashes = Dictionary(known.map { ($0.name, $0.hash) }, uniquingKeysWith: { first, _ in first })
    if let changed = applied.first(where: { hashes[$0.name] != nil && hashes[$0.name] != $0.hash }) {
      self = .changed(name: changed.name)
      return
    }
    let unknown = applied.map(\.name).filter { hashes[$0] == nil }
    let appliedNames = Set(applied.map(\.name))
    let missing = known.map(\.name).filter { !appliedNames.contains($0) }
    if !unknown.isEmpty {
      self = .newer(unknown: unknown)
    } else {
      self = missing.isEmpty ? .upToDate : .older(missing: missing)
    }
  }
}

/// Why migrations were not applied.
public enum MigrationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The database has migrations that this program does not know.
  case newer(unknown: [String])
  /// A migration has been applied in another form than this program knows it.
  case changed(name: String)
  /// A migration failed and was undone; those before it stay.
  case failed(name: String, PostgresError)
  /// A migration ended the transaction it was given.
  case endedItsTransaction(name: String)

  /// What happened, and what to do.
  public var description: String {
    switch self {
    case .newer(let unknown):
      "the schema is newer than this program: it does not know \(unknown.joined(separator: ", ")); use a newer program"
    case .changed(let name):
      "migration \(name) was applied in another form than this program has: use the program that applied it"
    case .failed(let name, let error):
      "migration \(name) failed and was undone: \(error.message) (SQLSTATE \(error.sqlState))"
    case .endedItsTransaction(let name):
      "migration \(name) ended its transaction: take begin, commit and rollback out of it"
    }
  }
}
