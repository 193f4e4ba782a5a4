import Cryptography
import KeyRecords
import PeerstackFormat

/// What verification needs of an object, read once.
struct ReadObject: Sendable {
  /// A key as a `User` object names it.
  enum NamedKey: Sendable, Equatable {
    case absent
    case unreadable
    case key(Bytes32)
  }

  /// The keys that a `User` object names.
  struct NamedKeys: Sendable {
    /// Whose keys they are said to be: the object's own id.
    let user: UserID?
    let publicKey: NamedKey
    let publicBoxKey: NamedKey

    init(_ object: JSONObject) {
      user = object["id"]?.string.flatMap { UserID($0) }
      publicKey = Self.named(object["publicKey"]) { (try? PeerstackKeys.verifyingKey($0))?.bytes32 }
      publicBoxKey = Self.named(object["publicBoxKey"]) { PublicBoxKey(PeerstackEncoding.decode($0))?.bytes32 }
    }

    private static func named(_ value: JSONValue?, _ read: (JSONString) -> Bytes32?) -> NamedKey {
      guard let value else { return .absent }
      return value.jsonString.flatMap(read).map { .key($0) } ?? .unreadable
    }

    /// Why these are not the user's keys; nil if they are.
    func contradiction(with state: UserState) -> String? {
      let keys = state.keys.filter { $0.fate != .void }
      guard isNamed(publicKey, among: keys.map(\.publicKey.bytes32)) else {
        return "the user object names a publicKey that is none of its user's"
      }
      guard isNamed(publicBoxKey, among: keys.map(\.publicBoxKey.bytes32)) else {
        return "the user object names a publicBoxKey that is none of its user's"
      }
      return nil
    }

    private func isNamed(_ key: NamedKey, among keys: [Bytes32]) -> Bool {
      switch key {
      case .absent: true
      case .unreadable: false
      case .key(let bytes): keys.contains(bytes)
      }
    }
  }

  let id: JSONString?
  let signer: JSONString?
  let user: UserID?
  let hash: Bytes32?
  let signature: JSONString?
  let modified: Double?
  let evidence: ObjectEvidence
  /// Of `User` objects.
  let namedKeys: NamedKeys?
  /// Why it is malformed; nil if it is not.
  let fault: String?

  init(_ object: UnverifiedObject, with reader: inout SignedObjectReader) {
    do throws(JSONSyntaxError) {
      try reader.read(object.text)
      fault = reader.isObject ? nil : "the JSON is no object"
    } catch {
      fault = "no JSON: \(error)"
    }
    id = reader.id
    signer = reader.signer
    user = signer?.string.flatMap { UserID($0) }
    hash = reader.hash
    signature = reader.signature
    modified = reader.modified
    evidence = object.evidence
    let isUser = reader.type == "User"
    namedKeys = isUser ? (try? JSONValue.parseLenient(object.text).object).map { NamedKeys($0) } : nil
  }

  /// Everybody whose history the verdict needs.
  var users: [UserID] { [user, namedKeys?.user].compactMap(\.self) }
}
