public import Cryptography
public import KeyRecords
import PeerstackFormat

/// A secret key of the keystore, by its public half.
public struct HeldKey: Hashable, Sendable {
  private static let names: Set<String> = ["publicKey", "created"]

  /// The Ed25519 key.
  public let publicKey: VerifyingKey
  /// When it came into the keystore, in milliseconds since 1970.
  public let created: Int64

  init(publicKey: VerifyingKey, created: Int64) {
    self.publicKey = publicKey
    self.created = created
  }

  init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    publicKey = try fields.key("publicKey")
    created = try fields.integer("created")
  }

  var value: JSONValue { .object(["publicKey": .key(publicKey), "created": .integer(created)]) }
}

/// How the identity stands in one app, as far as this keystore knows.
public struct AppState: Hashable, Sendable {
  private static let names: Set<String> = ["app", "status", "current", "former", "mark", "recordsAfter"]

  /// What the registrar last said, or what the last completed change made of it.
  public enum Status: String, Hashable, Sendable, CaseIterable {
    /// The id is not claimed in this app yet.
    case unclaimed
    /// A key of this keystore is in force.
    case active
    /// The key was revoked; a recovery brings in the next one.
    case locked
    /// The id has ended in this app.
    case retired
    /// A key is in force that this keystore does not hold: another device changed it.
    case elsewhere
  }

  /// The app id.
  public let app: AppID
  /// Addresses of registrars, in the order they were noted.
  public let registrars: [String]
  /// Whether the id is claimed, and by whom.
  public internal(set) var status: Status
  /// The key in force; only while ``status`` is active.
  public internal(set) var current: VerifyingKey?
  /// Keys that were in force before, oldest first.
  public internal(set) var former: [VerifyingKey]
  /// How far the user's history went when it was looked at last; nil before that.
  public internal(set) var mark: HistoryMark?
  /// The last entry about the user that was there before the keystore began to keep the hashes of its own records of
  /// the app, -1 if there was none; nil while it has not begun.
  public internal(set) var recordsAfter: Int64?

  init(app: AppID, registrars: [String]) {
    self.app = app
    self.registrars = registrars
    status = .unclaimed
    current = nil
    former = []
  }

  init(_ value: JSONValue, at pointer: String, header: Header) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    let app = try fields.app("app")
    guard let status = Status(rawValue: try fields.text("status")) else {
      throw .invalidField(pointer: fields.pointer("status"))
    }
    self.app = app
    registrars = header.apps.first { $0.app == app }?.registrars ?? []
    self.status = status
    current = try fields.optionalKey("current")
    former = try fields.keys("former", limit: KeystoreLimits.keys)
    let mark = try fields.value("mark")
    self.mark = mark.isNull ? nil : try HistoryMark(mark, at: fields.pointer("mark"))
    recordsAfter = try Self.recordsAfter(fields)
    guard (current != nil) == (status == .active) else { throw .invalidField(pointer: fields.pointer("current")) }
  }

  private static func recordsAfter(_ fields: StrictFields) throws(KeystoreError) -> Int64? {
    let name = "recordsAfter"
    guard fields.has(name), try !fields.value(name).isNull else { return nil }
    guard let index = try fields.value(name).integer, index >= -1 else {
      throw .invalidField(pointer: fields.pointer(name))
    }
    return index
  }

  var value: JSONValue {
    .object([
      "app": .text(app.text), "status": .text(status.rawValue), "current": current.map { .key($0) } ?? .null,
      "former": .array(former.map { .key($0) }), "mark": mark?.value ?? .null,
      "recordsAfter": recordsAfter.map { .integer($0) } ?? .null,
    ])
  }

  /// The same with other addresses.
  func noting(_ registrars: [String]) -> AppState {
    var state = AppState(app: app, registrars: registrars)
    state.status = status
    state.current = current
    state.former = former
    state.mark = mark
    state.recordsAfter = recordsAfter
    return state
  }

  /// Brings a key into force, or ends the one that is. A key that comes back is no former one any more.
  mutating func set(_ status: Status, current key: VerifyingKey?) {
    if let current, current != key { former.append(current) }
    former.removeAll { $0 == key }
    self.status = status
    current = key
  }

  /// Notes how far the history goes. What it had before the keystore kept the hashes of its records says nothing.
  mutating func note(_ mark: HistoryMark) {
    recordsAfter = recordsAfter ?? (self.mark ?? mark).lastIndex
    self.mark = mark
  }

  /// From now on the keystore keeps the hashes of its records.
  mutating func beginRecords() { recordsAfter = recordsAfter ?? mark?.lastIndex ?? -1 }
}

/// How far a user's history went at a registrar: what a client remembers of it as a pin (protocol §9).
public struct HistoryMark: Hashable, Sendable {
  private static let names: Set<String> = [
    "registrar", "first", "sequence", "head", "incarnation", "lastIndex", "index", "time",
  ]

  /// The address of the registrar.
  public var registrar: String
  /// The first record.
  public var first: RecordHash
  /// The sequence of the head.
  public var sequence: Int64
  /// The head.
  public var head: RecordHash
  /// The head's.
  public var incarnation: Int64
  /// The highest index of the user's entries.
  public var lastIndex: Int64
  /// The registrar's latest index when it answered.
  public var index: Int64
  /// The registrar's clock when it answered.
  public var time: Milliseconds

  /// Puts them together.
  public init(
    registrar: String, first: RecordHash, sequence: Int64, head: RecordHash, incarnation: Int64, lastIndex: Int64,
    index: Int64, time: Milliseconds
  ) {
    self.registrar = registrar
    self.first = first
    self.sequence = sequence
    self.head = head
    self.incarnation = incarnation
    self.lastIndex = lastIndex
    self.index = index
    self.time = time
  }

  init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    registrar = try fields.text("registrar")
    first = try fields.hash("first")
    sequence = try fields.integer("sequence")
    head = try fields.hash("head")
    incarnation = try fields.integer("incarnation")
    lastIndex = try fields.integer("lastIndex")
    index = try fields.integer("index")
    time = try fields.integer("time")
  }

  var value: JSONValue {
    .object([
      "registrar": .text(registrar), "first": .text(first.hex), "sequence": .integer(sequence),
      "head": .text(head.hex), "incarnation": .integer(incarnation), "lastIndex": .integer(lastIndex),
      "index": .integer(index), "time": .integer(time),
    ])
  }
}

/// What the id's first claim was made of: enough to make it again in another app. A bound id proves itself by this
/// everywhere (protocol §2.3).
public struct OriginalClaim: Hashable, Sendable {
  private static let names: Set<String> = ["authority", "publicKey", "publicBoxKey"]

  /// Who may act, as the claim said.
  public let authority: Authority
  /// The claim's key; ``OpenKeystore`` holds its secret.
  public let publicKey: VerifyingKey
  /// The claim's box key.
  public let publicBoxKey: PublicBoxKey

  /// Puts them together.
  public init(authority: Authority, publicKey: VerifyingKey, publicBoxKey: PublicBoxKey) {
    self.authority = authority
    self.publicKey = publicKey
    self.publicBoxKey = publicBoxKey
  }

  init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    guard case .success(let authority) = Authority.read(try fields.value("authority")) else {
      throw .invalidField(pointer: fields.pointer("authority"))
    }
    self.authority = authority
    publicKey = try fields.key("publicKey")
    guard let boxKey = PublicBoxKey(try fields.bytes("publicBoxKey", count: PublicBoxKey.count)) else {
      throw .invalidField(pointer: fields.pointer("publicBoxKey"))
    }
    publicBoxKey = boxKey
  }

  var value: JSONValue {
    .object([
      "authority": authority.json, "publicKey": .key(publicKey), "publicBoxKey": .bytes(publicBoxKey.bytes),
    ])
  }
}
