public import Cryptography
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
  private static let names: Set<String> = ["app", "status", "current", "former"]

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
  public let app: String
  /// Addresses of registrars, in the order they were noted.
  public let registrars: [String]
  /// Whether the id is claimed, and by whom.
  public internal(set) var status: Status
  /// The key in force; only while ``status`` is active.
  public internal(set) var current: VerifyingKey?
  /// Keys that were in force before, oldest first.
  public internal(set) var former: [VerifyingKey]

  init(app: String, registrars: [String]) {
    self.app = app
    self.registrars = registrars
    status = .unclaimed
    current = nil
    former = []
  }

  init(_ value: JSONValue, at pointer: String, header: Header) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    let app = try fields.text("app")
    guard let status = Status(rawValue: try fields.text("status")) else {
      throw .invalidField(pointer: fields.pointer("status"))
    }
    self.app = app
    registrars = header.apps.first { $0.app == app }?.registrars ?? []
    self.status = status
    current = try fields.optionalKey("current")
    former = try fields.keys("former", limit: KeystoreLimits.keys)
    guard (current != nil) == (status == .active) else { throw .invalidField(pointer: fields.pointer("current")) }
  }

  var value: JSONValue {
    .object([
      "app": .text(app), "status": .text(status.rawValue), "current": current.map { .key($0) } ?? .null,
      "former": .array(former.map { .key($0) }),
    ])
  }

  /// The same with other addresses.
  func noting(_ registrars: [String]) -> AppState {
    var state = AppState(app: app, registrars: registrars)
    state.status = status
    state.current = current
    state.former = former
    return state
  }

  /// Brings a key into force, or ends the one that is. A key that comes back is no former one any more.
  mutating func set(_ status: Status, current key: VerifyingKey?) {
    if let current, current != key { former.append(current) }
    former.removeAll { $0 == key }
    self.status = status
    current = key
  }
}

/// What the id's first claim was made of. A bound id proves itself by this in every app (protocol §2.3).
public struct OriginalClaim: Hashable, Sendable {
  private static let names: Set<String> = ["authority", "publicKey"]

  /// The canonical JSON of the claim's `authority`.
  public let authority: String
  /// The claim's key; ``OpenKeystore`` holds its secret.
  public let publicKey: VerifyingKey

  /// Puts them together.
  public init(authority: String, publicKey: VerifyingKey) {
    self.authority = authority
    self.publicKey = publicKey
  }

  init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    authority = try fields.text("authority")
    publicKey = try fields.key("publicKey")
  }

  var value: JSONValue { .object(["authority": .text(authority), "publicKey": .key(publicKey)]) }
}
