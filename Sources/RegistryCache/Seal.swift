import Cryptography
import GRDB

/// A row that is not as it was written.
struct DamagedRow: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// The digest of a row: of its table's name and its values, each with its length in front.
struct RowDigest {
  private var bytes: [UInt8] = []

  init(_ table: String) { add(table) }

  mutating func add(_ text: String) { add(Array(text.utf8)) }

  mutating func add(_ value: [UInt8]) {
    add(Int64(value.count))
    bytes += value
  }

  mutating func add(_ value: Bytes32) { value.append(to: &bytes) }

  mutating func add(_ value: Int64) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  var value: Bytes32 { SHA256.hash(bytes) }
}

/// How many rows of an app must never get lost, and the sum of their digests: a row that is gone, has come back or is
/// not found under its key any more is noticed when the file is opened.
struct Seal: Equatable {
  private(set) var count: Int64 = 0
  /// Digests without order: each bit is set if an odd number of them has it.
  private var digest = [UInt8](repeating: 0, count: Bytes32.count)

  /// Puts a row in place of another.
  mutating func replace(_ old: Bytes32?, with new: Bytes32?) {
    for row in [old, new].compactMap(\.self) {
      for (place, byte) in row.bytes.enumerated() { digest[place] ^= byte }
    }
    count += (new == nil ? 0 : 1) - (old == nil ? 0 : 1)
  }

  // MARK: In the file

  init() {}

  private init(_ row: Row) throws {
    count = try row.decode(Int64.self, forColumn: "count")
    digest = try row.bytes("digest")
    guard digest.count == Bytes32.count else { throw DamagedRow("a seal is cut off") }
  }

  /// The seal of an app; one of no rows if there is none.
  static func read(_ database: Database, app: String) throws -> Seal {
    let statement = try database.cachedStatement(sql: "SELECT count, digest FROM seals WHERE app = ?")
    return try Row.fetchOne(statement, arguments: [app]).map { try Seal($0) } ?? Seal()
  }

  /// Writes the seal of an app.
  func write(_ database: Database, app: String) throws {
    let statement = try database.cachedStatement(
      sql: "INSERT INTO seals (app, count, digest) VALUES (?, ?, ?) "
        + "ON CONFLICT (app) DO UPDATE SET count = excluded.count, digest = excluded.digest")
    try statement.execute(arguments: [app, count, digest.data])
  }

  /// Holds every row that is kept against its digest, and all of them against the seals.
  static func checkAll(_ database: Database) throws {
    var found: [String: Seal] = [:]
    func add(_ table: String, _ digest: (Row) throws -> Bytes32) throws {
      let rows = try Row.fetchCursor(database, sql: "SELECT * FROM \(table)")
      while let row = try rows.next() {
        found[try row.decode(String.self, forColumn: "app"), default: Seal()].replace(nil, with: try digest(row))
      }
    }
    try add("pins") { try PinRow($0).digest }
    try add("policies") { try PolicyRow($0).digest }
    try add("cursors") { try CursorRow($0).digest }
    var written: [String: Seal] = [:]
    let seals = try Row.fetchCursor(database, sql: "SELECT * FROM seals")
    while let row = try seals.next() { written[try row.decode(String.self, forColumn: "app")] = try Seal(row) }
    for app in Set(found.keys).union(written.keys) where found[app, default: Seal()] != written[app, default: Seal()] {
      throw DamagedRow("what is kept of \(app) is not what was written")
    }
  }
}
