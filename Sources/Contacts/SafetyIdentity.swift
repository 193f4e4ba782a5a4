public import Cryptography
public import KeyRecords
import PeerstackFormat

/// Why two people have nothing to compare.
public enum SafetyFault: Error, Sendable, Hashable {
  /// The user has no key in force: it is locked, retired or contested.
  case noKeyInForce(UserID, UserState.Status)
  /// Both are the same user.
  case samePerson(UserID)
  /// The two are of different apps.
  case differentApps(AppID, AppID)
}

/// One person's half of a safety number: what makes the identity that it is today (docs/contact-card-format.md).
///
/// It changes when the key in force does, when continuity was broken, and with another first record: exactly when what
/// one person knows of the other should be looked at. It does not change with who may act for the user: the first
/// record and the rules say who could have changed that.
public struct SafetyIdentity: Sendable, Hashable {
  /// How often the hash is iterated, which makes finding a second preimage 2¹² times dearer.
  public static let iterations = 4_096
  /// Decimal digits of one person: 83 bits.
  public static let digitCount = 25

  private static let prefix = Array("peerstack safety number v1\n".utf8)
  private static let modulus: UInt128 = (0..<digitCount).reduce(1) { power, _ in power * 10 }

  /// The app.
  public let app: AppID
  /// Whose identity it is.
  public let user: UserID
  /// The first record.
  public let first: RecordHash
  /// The record that began the present incarnation; the first one as long as continuity was never broken.
  public let began: RecordHash
  /// The key in force.
  public let publicKey: VerifyingKey
  /// The position of the record in force.
  public let sequence: Int64
  /// The record in force.
  public let head: RecordHash
  /// The iterated hash of app, id, first record, record of the incarnation and key.
  public let fingerprint: Bytes32

  /// The identity of a user as the state shows it.
  public init(_ state: UserState) throws(SafetyFault) {
    guard state.status == .active, state.currentKey != nil,
      let identity = SafetyIdentity(state, at: state.head.sequence)
    else { throw .noKeyInForce(state.head.subject, state.status) }
    self = identity
  }

  /// The identity as it was when the record of a position was in force; nil if there was no key, or no such record.
  init?(_ state: UserState, at sequence: Int64) {
    guard let record = state.record(at: sequence), !record.action.endsKey,
      let began = Self.beginning(of: record, in: state)
    else { return nil }
    app = record.app
    user = record.subject
    first = state.firstClaim.hash
    self.began = began
    publicKey = record.publicKey
    self.sequence = sequence
    head = record.hash
    fingerprint = Self.fingerprint(app, user, first: first, began: began, publicKey)
  }

  /// The first record with the incarnation of this one.
  private static func beginning(of record: KeyRecord, in state: UserState) -> RecordHash? {
    (0...record.sequence).lazy.compactMap { state.record(at: $0) }.first { $0.incarnation == record.incarnation }?.hash
  }

  private static func fingerprint(
    _ app: AppID, _ user: UserID, first: RecordHash, began: RecordHash, _ key: VerifyingKey
  ) -> Bytes32 {
    let covered: JSONValue = [
      "app": .text(app.text), "first": .text(first.hex), "id": .text(user.text), "incarnation": .text(began.hex),
      "publicKey": .text(Base64.encode(key.bytes32)),
    ]
    var hash = SHA256.hash(prefix + CanonicalJSON.bytes(of: covered))
    for _ in 0..<iterations { hash = SHA256.hash(hash) }
    return hash
  }

  /// The digits: the first 128 bits of the fingerprint modulo 10²⁵.
  public var digits: String {
    let number = fingerprint.bytes.prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) } % Self.modulus
    let text = String(number)
    return String(repeating: "0", count: Self.digitCount - text.utf8.count) + text
  }
}

extension SafetyFault: CustomStringConvertible {
  /// A sentence for people: what is the matter, then what to do.
  public var description: String {
    switch self {
    case .noKeyInForce(let user, .contested): "\(user) is contested: there is nothing to compare until that has ended"
    case .noKeyInForce(let user, .locked):
      "the key of \(user) was revoked: there is nothing to compare until a new one is in force"
    case .noKeyInForce(let user, _): "\(user) has ended for good: there is nothing to compare"
    case .samePerson(let user): "\(user) is on both sides: compare with somebody else"
    case .differentApps(let one, let other): "one of the two is of \(one), the other of \(other): compare in one app"
    }
  }
}
