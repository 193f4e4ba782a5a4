public import Cryptography
public import KeyRecords

/// An app at one moment.
public struct AppSnapshot: Sendable {
  /// The app.
  public let app: AppID
  /// The policy in force.
  public let policy: AppPolicy
  /// The policy chain, oldest first.
  public let policyEntries: [StoredEntry]
  /// The latest index.
  public let index: Int64
  /// How many ids have an entry.
  public let users: Int64
  /// The registry's time: never before the latest `accepted`.
  public let time: Milliseconds
  /// The registrar's key, the same for all its instances.
  public let registrarKey: VerifyingKey

  /// The canonical JSON of the policy in force.
  public var policyText: [UInt8] { policy.canonical }

  /// The JSON text of the app (protocol §8, `GET /apps/{app}`).
  public var text: [UInt8] {
    var text = Array("{\"app\":\"\(app)\",\"policy\":".utf8)
    text += policyText
    text += ",\"index\":\(index),\"users\":\(users),\"time\":\(time)".utf8
    text += ",\"publicKey\":\"\(Base64.encode(registrarKey.bytes32))\"}".utf8
    return text
  }
}

/// Up to where answers are complete (protocol §8, `asOf`).
public struct AsOf: Sendable, Hashable {
  /// Every entry up to this index is in the answer.
  public let index: Int64
  /// The registry's time, but not later than it can vouch for: while it cannot hear what other instances accept, this
  /// stands still.
  public let time: Milliseconds
}

/// Users as they are at one moment.
public struct ResolvedUsers: Sendable {
  /// Up to where the answer is complete.
  public let asOf: AsOf
  /// The users that have an entry; the others are unknown, but for ``unread``.
  public let users: [UserID: UserSnapshot]
  /// Users that were not looked at, because the entries of the others take enough bytes already.
  public let unread: [UserID]
}
