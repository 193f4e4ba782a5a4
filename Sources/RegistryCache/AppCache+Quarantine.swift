public import Cryptography
import GRDB
public import KeyRecords
public import RegistryClient

/// What waits for the keys of one signer.
public struct QuarantineShare: Sendable, Hashable {
  /// Who is said to have signed it.
  public let signer: UserID
  /// Objects.
  public let count: Int
  /// Bytes of the objects.
  public let bytes: Int
  /// When the oldest of them came, by the client's clock.
  public let oldest: Milliseconds
}

extension AppCache {
  /// See `RegistryStore`.
  public func quarantine(
    _ objects: [QuarantinedObject], limits: QuarantineLimits, now: Milliseconds
  ) async throws(StoreFailure) -> Int {
    try await file.write { [app] database in
      let statement = try database.cachedStatement(
        sql: "INSERT INTO quarantine (app, digest, signer, received, bytes, text) VALUES (?, ?, ?, ?, ?, ?) "
          + "ON CONFLICT (app, digest) DO UPDATE SET signer = excluded.signer")
      for object in objects {
        try statement.execute(
          arguments: [
            app, object.digest.bytes.data, object.signer.text, object.received, object.text.count, object.text.data,
          ])
      }
      guard try Self.mayBreak(limits, app: app, now: now, signers: Set(objects.map(\.signer)), database) else {
        return 0
      }
      return try Self.drop(beyond: limits, app: app, now: now, database)
    }
  }

  /// Whether a limit is broken. Only signers who have got more can have too much.
  private static func mayBreak(
    _ limits: QuarantineLimits, app: String, now: Milliseconds, signers: Set<UserID>, _ database: Database
  ) throws -> Bool {
    let all = try Row.fetchOne(
      database,
      sql: "SELECT count(*) AS count, ifnull(sum(bytes), 0) AS bytes, ifnull(max(bytes), 0) AS largest, "
        + "ifnull(min(received), 0) AS oldest FROM quarantine WHERE app = ?", arguments: [app])
    guard let all, try all.integer("count") > 0 else { return false }
    if try all.integer("count") > limits.count || all.integer("bytes") > limits.bytes { return true }
    if try all.integer("largest") > limits.bytes || all.integer("oldest") <= now - limits.age { return true }
    let statement = try database.cachedStatement(
      sql: "SELECT count(*) FROM quarantine WHERE app = ? AND signer = ?")
    return try signers.contains { signer in
      try Int.fetchOne(statement, arguments: [app, signer.text]) ?? 0 > limits.countPerSigner
    }
  }

  /// Keeps objects from the newest on, as long as there is room; how many are dropped.
  private static func drop(
    beyond limits: QuarantineLimits, app: String, now: Milliseconds, _ database: Database
  ) throws -> Int {
    var (count, bytes) = (0, 0)
    var perSigner: [String: Int] = [:]
    var isFull = false
    var dropped: [Int64] = []
    let rows = try Row.fetchCursor(
      database,
      sql: "SELECT number, signer, received, bytes FROM quarantine WHERE app = ? ORDER BY received DESC, number DESC",
      arguments: [app])
    while let row = try rows.next() {
      let (number, signer, size) = (try row.integer("number"), try row.text("signer"), Int(try row.integer("bytes")))
      guard size <= limits.bytes, try row.integer("received") > now - limits.age else {
        dropped.append(number)
        continue
      }
      if count == limits.count || bytes + size > limits.bytes { isFull = true }
      guard !isFull, perSigner[signer, default: 0] < limits.countPerSigner else {
        dropped.append(number)
        continue
      }
      perSigner[signer, default: 0] += 1
      count += 1
      bytes += size
    }
    let statement = try database.cachedStatement(sql: "DELETE FROM quarantine WHERE number = ?")
    for number in dropped { try statement.execute(arguments: [number]) }
    return dropped.count
  }

  /// See `RegistryStore`.
  public func quarantinedSigners() async throws(StoreFailure) -> Set<UserID> {
    Set(try await quarantineShares().map(\.signer))
  }

  /// What waits, by signer, in the order of their ids.
  public func quarantineShares() async throws(StoreFailure) -> [QuarantineShare] {
    try await file.read { [app] database in
      try Row.fetchAll(
        database,
        sql: "SELECT signer, count(*) AS count, sum(bytes) AS bytes, min(received) AS oldest FROM quarantine "
          + "WHERE app = ? GROUP BY signer ORDER BY signer", arguments: [app]
      ).map { row in
        QuarantineShare(
          signer: try row.user("signer"), count: Int(try row.integer("count")), bytes: Int(try row.integer("bytes")),
          oldest: try row.integer("oldest"))
      }
    }
  }

  /// See `RegistryStore`. An object that was damaged is left out.
  public func quarantined(by signers: Set<UserID>) async throws(StoreFailure) -> [QuarantinedObject] {
    try await file.read { [app] database in
      let statement = try database.cachedStatement(
        sql: "SELECT number, received, digest, text FROM quarantine WHERE app = ? AND signer = ?")
      var found: [(object: QuarantinedObject, number: Int64)] = []
      for signer in signers {
        let rows = try Row.fetchCursor(statement, arguments: [app, signer.text])
        while let row = try rows.next() {
          let object = QuarantinedObject(
            text: try row.bytes("text"), signer: signer, received: try row.integer("received"))
          if try row.bytes32("digest") == object.digest { found.append((object, try row.integer("number"))) }
        }
      }
      found.sort { ($0.object.received, $0.number) < ($1.object.received, $1.number) }
      return found.map(\.object)
    }
  }

  /// See `RegistryStore`.
  public func release(_ digests: Set<Bytes32>) async throws(StoreFailure) {
    guard !digests.isEmpty else { return }
    try await file.write { [app] database in
      let statement = try database.cachedStatement(sql: "DELETE FROM quarantine WHERE app = ? AND digest = ?")
      for digest in digests { try statement.execute(arguments: [app, digest.bytes.data]) }
    }
  }
}
