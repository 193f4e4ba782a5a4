import Cryptography
import Foundation
import GRDB
import KeyRecords
import RegistryClient

// Values are never taken for what they should be: a file may be damaged in any way.

extension Row {
  func integer(_ column: String) throws -> Int64 { try decode(Int64.self, forColumn: column) }

  func text(_ column: String) throws -> String { try decode(String.self, forColumn: column) }

  func bytes(_ column: String) throws -> [UInt8] { [UInt8](try decode(Data.self, forColumn: column)) }

  func bytes32(_ column: String) throws -> Bytes32 {
    guard let bytes = Bytes32(try bytes(column)) else { throw DamagedRow("a hash is cut off") }
    return bytes
  }

  func user(_ column: String) throws -> UserID {
    guard let user = UserID(try text(column)) else { throw DamagedRow("a user id is none") }
    return user
  }
}

extension [UInt8] {
  var data: Data { Data(self) }
}

/// Entries as one value: each with its length in four bytes, the most significant first.
enum EntryFrames {
  private static let lengthCount = 4

  static func join(_ entries: [[UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entries.reduce(0) { $0 + $1.count + lengthCount })
    for entry in entries {
      withUnsafeBytes(of: UInt32(truncatingIfNeeded: entry.count).bigEndian) { bytes.append(contentsOf: $0) }
      bytes += entry
    }
    return bytes
  }

  static func split(_ bytes: [UInt8]) throws -> [[UInt8]] {
    var entries: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let length = rest.prefix(lengthCount).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(lengthCount)
      guard rest.count >= length else { throw DamagedRow("entries are cut off") }
      entries.append(Array(rest.prefix(length)))
      rest = rest.dropFirst(length)
    }
    return entries
  }
}

/// A row of `pins`.
struct PinRow {
  let app: String
  let pin: Pin

  init(_ pin: Pin, app: String) {
    self.app = app
    self.pin = pin
  }

  /// Reads a row, and holds it against its digest.
  init(_ row: Row) throws {
    app = try row.text("app")
    guard let trust = Pin.Trust(rawValue: try row.text("trust")) else { throw DamagedRow("a pin has no trust") }
    pin = Pin(
      user: try row.user("user"), registrar: try row.text("registrar"),
      first: RecordHash(try row.bytes32("first")), sequence: try row.integer("sequence"),
      head: RecordHash(try row.bytes32("head")), incarnation: try row.integer("incarnation"),
      lastIndex: try row.integer("lastIndex"),
      asOf: AsOf(index: try row.integer("asOfIndex"), time: try row.integer("asOfTime")), trust: trust)
    guard try row.bytes32("digest") == digest else { throw DamagedRow("the pin of \(pin.user) was changed") }
  }

  var digest: Bytes32 {
    var digest = RowDigest("pins")
    for text in [app, pin.user.text, pin.registrar, pin.trust.rawValue] { digest.add(text) }
    for hash in [pin.first, pin.head] { digest.add(hash.bytes32) }
    for number in [pin.sequence, pin.incarnation, pin.lastIndex, pin.asOf.index, pin.asOf.time] { digest.add(number) }
    return digest.value
  }

  var arguments: StatementArguments {
    [
      app, pin.user.text, pin.registrar, pin.first.bytes32.bytes.data, pin.sequence, pin.head.bytes32.bytes.data,
      pin.incarnation, pin.lastIndex, pin.asOf.index, pin.asOf.time, pin.trust.rawValue, digest.bytes.data,
    ]
  }
}

/// A row of `policies`.
struct PolicyRow {
  let app: String
  let registrar: String
  let entries: [[UInt8]]

  init(_ entries: [[UInt8]], from registrar: String, app: String) {
    self.app = app
    self.registrar = registrar
    self.entries = entries
  }

  /// Reads a row, and holds it against its digest.
  init(_ row: Row) throws {
    app = try row.text("app")
    registrar = try row.text("registrar")
    entries = try EntryFrames.split(try row.bytes("entries"))
    guard try row.bytes32("digest") == digest else { throw DamagedRow("the policies of \(app) were changed") }
  }

  var digest: Bytes32 {
    var digest = RowDigest("policies")
    for text in [app, registrar] { digest.add(text) }
    digest.add(EntryFrames.join(entries))
    return digest.value
  }
}

/// A row of `cursors`.
struct CursorRow {
  let app: String
  let registrar: String
  let place: Int64

  init(_ place: Int64, of registrar: String, app: String) {
    self.app = app
    self.registrar = registrar
    self.place = place
  }

  /// Reads a row, and holds it against its digest.
  init(_ row: Row) throws {
    app = try row.text("app")
    registrar = try row.text("registrar")
    place = try row.integer("place")
    guard try row.bytes32("digest") == digest else { throw DamagedRow("the cursor of \(registrar) was changed") }
  }

  var digest: Bytes32 {
    var digest = RowDigest("cursors")
    for text in [app, registrar] { digest.add(text) }
    digest.add(place)
    return digest.value
  }
}

/// A row of `histories`.
struct HistoryRow {
  /// Bytes that a row takes beside its entries.
  private static let ownBytes = 256

  let app: String
  let registrar: String
  let user: UserID
  let history: StoredHistory

  init(_ history: StoredHistory, of user: UserID, from registrar: String, app: String) {
    self.app = app
    self.registrar = registrar
    self.user = user
    self.history = history
  }

  /// Reads a row, and holds it against its digest.
  init(_ row: Row) throws {
    app = try row.text("app")
    registrar = try row.text("registrar")
    user = try row.user("user")
    history = StoredHistory(
      entries: try EntryFrames.split(try row.bytes("entries")),
      asOf: AsOf(index: try row.integer("asOfIndex"), time: try row.integer("asOfTime")),
      checked: try row.integer("checked"))
    guard try row.bytes32("digest") == digest(of: EntryFrames.join(history.entries)) else {
      throw DamagedRow("the history of \(user) was changed")
    }
  }

  func digest(of entries: [UInt8]) -> Bytes32 {
    var digest = RowDigest("histories")
    for text in [app, registrar, user.text] { digest.add(text) }
    for number in [history.asOf.index, history.asOf.time, history.checked] { digest.add(number) }
    digest.add(entries)
    return digest.value
  }

  func arguments(used: Milliseconds) -> StatementArguments {
    let entries = EntryFrames.join(history.entries)
    return [
      app, registrar, user.text, history.asOf.index, history.asOf.time, history.checked, used,
      entries.count + Self.ownBytes, digest(of: entries).bytes.data, entries.data,
    ]
  }
}
