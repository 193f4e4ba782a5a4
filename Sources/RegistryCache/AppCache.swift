import Cryptography
import GRDB
public import KeyRecords
public import RegistryClient

/// What is kept of one app, in a ``CacheFile``.
///
/// Histories count as used when they are read, to the hour; beyond the file's limit those not used for longest are
/// dropped. One that was damaged counts as dropped. A pin or a policy chain that was damaged is a failure: without it
/// nothing can be held against a registrar.
public struct AppCache: RegistryStore {
  /// The file.
  public let file: CacheFile
  /// See `RegistryStore`: shared by all stores of the app in this file.
  public let pinObservers: PinObservers
  /// The app's id.
  let app: String

  /// How exactly it is known when a history was used: a write for every look-up would cost more than it is worth.
  private static let useGranularity: Milliseconds = 3_600_000

  init(_ file: CacheFile, app: AppID) {
    self.file = file
    self.app = app.text
    pinObservers = file.pinObservers(of: app)
  }

  // MARK: Histories

  /// See `RegistryStore`.
  public func histories(
    of users: Set<UserID>, from registrar: String
  ) async throws(StoreFailure) -> [UserID: StoredHistory] {
    guard !users.isEmpty else { return [:] }
    let now = file.clock.now()
    let (found, aged) = try await file.read { [app] database in
      let statement = try database.cachedStatement(
        sql: "SELECT * FROM histories WHERE app = ? AND registrar = ? AND user = ?")
      var found: [UserID: StoredHistory] = [:]
      var aged: [Int64] = []
      for user in users {
        guard let row = try Row.fetchOne(statement, arguments: [app, registrar, user.text]),
          let history = try? HistoryRow(row), history.user == user
        else { continue }
        found[user] = history.history
        if !(0..<Self.useGranularity).contains(now - (try row.integer("used"))) {
          aged.append(try row.integer("number"))
        }
      }
      return (found, aged)
    }
    if !aged.isEmpty { try await noteUse(of: aged, at: now) }
    return found
  }

  private func noteUse(of numbers: [Int64], at now: Milliseconds) async throws(StoreFailure) {
    try await file.write { database in
      let statement = try database.cachedStatement(sql: "UPDATE histories SET used = ? WHERE number = ?")
      for number in numbers { try statement.execute(arguments: [now, number]) }
    }
  }

  /// See `RegistryStore`.
  public func save(_ histories: [UserID: StoredHistory], from registrar: String) async throws(StoreFailure) {
    let now = file.clock.now()
    let limit = file.maxHistoryBytes
    try await file.write { [app] database in
      let statement = try database.cachedStatement(
        sql: """
          INSERT INTO histories (app, registrar, user, asOfIndex, asOfTime, checked, used, bytes, digest, entries)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (app, registrar, user) DO UPDATE SET
          asOfIndex = excluded.asOfIndex, asOfTime = excluded.asOfTime, checked = excluded.checked,
          used = excluded.used, bytes = excluded.bytes, digest = excluded.digest, entries = excluded.entries
          """)
      for (user, history) in histories {
        let row = HistoryRow(history, of: user, from: registrar, app: app)
        try statement.execute(arguments: row.arguments(used: now))
      }
      try Self.evict(database, limit: limit)
    }
  }

  /// Makes more room than needed, so that it is not done with every new user.
  private static func evict(_ database: Database, limit: Int) throws {
    let total = try Int.fetchOne(database, sql: "SELECT sum(bytes) FROM histories") ?? 0
    guard total > limit else { return }
    var excess = total - (limit - limit / 8)
    var numbers: [Int64] = []
    let rows = try Row.fetchCursor(database, sql: "SELECT number, bytes FROM histories ORDER BY used, number")
    while excess > 0, let row = try rows.next() {
      numbers.append(try row.integer("number"))
      excess -= Int(try row.integer("bytes"))
    }
    let statement = try database.cachedStatement(sql: "DELETE FROM histories WHERE number = ?")
    for number in numbers { try statement.execute(arguments: [number]) }
  }

  // MARK: Pins

  /// See `RegistryStore`.
  public func pins(of users: Set<UserID>) async throws(StoreFailure) -> [UserID: Pin] {
    guard !users.isEmpty else { return [:] }
    return try await file.read { [app] database in
      var found: [UserID: Pin] = [:]
      for user in users { found[user] = try Self.pin(of: user, app: app, database)?.pin }
      return found
    }
  }

  /// See `RegistryStore`.
  public func allPins() async throws(StoreFailure) -> [Pin] {
    try await file.read { [app] database in
      try Row.fetchAll(database, sql: "SELECT * FROM pins WHERE app = ?", arguments: [app]).map { try PinRow($0).pin }
    }
  }

  /// See `RegistryStore`.
  public func replacePins(_ changes: [PinChange]) async throws(StoreFailure) -> Set<UserID> {
    guard !changes.isEmpty else { return [] }
    let left = try await file.write { [app] database in
      var seal = try Seal.read(database, app: app)
      var left: Set<UserID> = []
      for change in changes {
        let old = try Self.pin(of: change.user, app: app, database)
        guard old?.pin == change.expected else {
          left.insert(change.user)
          continue
        }
        let new = change.pin.map { PinRow($0, app: app) }
        try Self.put(new, of: change.user, app: app, database)
        seal.replace(old?.digest, with: new?.digest)
      }
      try seal.write(database, app: app)
      return left
    }
    pinObservers.tell(Set(changes.map(\.user)).subtracting(left))
    return left
  }

  private static func pin(of user: UserID, app: String, _ database: Database) throws -> PinRow? {
    let statement = try database.cachedStatement(sql: "SELECT * FROM pins WHERE app = ? AND user = ?")
    return try Row.fetchOne(statement, arguments: [app, user.text]).map { try PinRow($0) }
  }

  private static func put(_ row: PinRow?, of user: UserID, app: String, _ database: Database) throws {
    guard let row else {
      return try database.cachedStatement(sql: "DELETE FROM pins WHERE app = ? AND user = ?")
        .execute(arguments: [app, user.text])
    }
    try database.cachedStatement(
      sql: """
        INSERT OR REPLACE INTO pins (app, user, registrar, first, sequence, head, incarnation, lastIndex, asOfIndex,
        asOfTime, trust, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: row.arguments)
  }

  // MARK: Policies and cursors

  /// See `RegistryStore`.
  public func policies(from registrar: String) async throws(StoreFailure) -> [[UInt8]] {
    try await file.read { [app] database in
      try Self.policies(from: registrar, app: app, database)?.entries ?? []
    }
  }

  /// See `RegistryStore`.
  public func savePolicies(_ entries: [[UInt8]], from registrar: String) async throws(StoreFailure) {
    try await file.write { [app] database in
      let old = try Self.policies(from: registrar, app: app, database)
      let new = PolicyRow(entries, from: registrar, app: app)
      try database.cachedStatement(
        sql: "INSERT INTO policies (app, registrar, digest, entries) VALUES (?, ?, ?, ?) "
          + "ON CONFLICT (app, registrar) DO UPDATE SET digest = excluded.digest, entries = excluded.entries"
      ).execute(arguments: [app, registrar, new.digest.bytes.data, EntryFrames.join(entries).data])
      try Self.reseal(old?.digest, new.digest, app: app, database)
    }
  }

  private static func policies(from registrar: String, app: String, _ database: Database) throws -> PolicyRow? {
    try Row.fetchOne(
      database, sql: "SELECT * FROM policies WHERE app = ? AND registrar = ?", arguments: [app, registrar]
    ).map { try PolicyRow($0) }
  }

  /// See `RegistryStore`.
  public func cursor(of registrar: String) async throws(StoreFailure) -> Int64? {
    try await file.read { [app] database in try Self.cursor(of: registrar, app: app, database)?.place }
  }

  /// See `RegistryStore`.
  public func saveCursor(_ index: Int64, of registrar: String) async throws(StoreFailure) {
    try await file.write { [app] database in
      let old = try Self.cursor(of: registrar, app: app, database)
      let new = CursorRow(index, of: registrar, app: app)
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO cursors (app, registrar, place, digest) VALUES (?, ?, ?, ?)"
      ).execute(arguments: [app, registrar, index, new.digest.bytes.data])
      try Self.reseal(old?.digest, new.digest, app: app, database)
    }
  }

  private static func cursor(of registrar: String, app: String, _ database: Database) throws -> CursorRow? {
    try Row.fetchOne(
      database, sql: "SELECT * FROM cursors WHERE app = ? AND registrar = ?", arguments: [app, registrar]
    ).map { try CursorRow($0) }
  }

  private static func reseal(_ old: Bytes32?, _ new: Bytes32?, app: String, _ database: Database) throws {
    var seal = try Seal.read(database, app: app)
    seal.replace(old, with: new)
    try seal.write(database, app: app)
  }
}
