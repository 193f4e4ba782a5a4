/// Texts that every card has, one byte each. The order is part of the format (docs/contact-card-format.md): a later
/// version may only begin anew.
enum PackedWords {
  static let all = [
    "ContactCard", "PublicKey", "AppPolicy", "Adjudication", "users", "claim", "rotate", "recover", "amend", "revoke",
    "retire", "routine", "lost", "compromised", "signer", "registrar", "paper", "friends", "open", "invite", "public",
    "members", "accepted", "action", "admins", "admission", "app", "approvals", "authority", "boundSince",
    "contestWindow", "delay", "effective", "entries", "expires", "group", "id", "incarnation", "index", "keys",
    "modified", "name", "policies", "previous", "publicBoxKey", "publicKey", "rank", "reason", "record", "recordRead",
    "role", "sequence", "signature", "sourceUrl", "subject", "threshold", "type", "version", "winner",
  ]

  static let places: [String: UInt8] = Dictionary(
    uniqueKeysWithValues: zip(all, UInt8(0)...))
}

/// The first byte of a packed value; from ``word`` on it is a word.
enum PackedTag {
  static let null: UInt8 = 0
  static let no: UInt8 = 1
  static let yes: UInt8 = 2
  static let integer: UInt8 = 3
  static let array: UInt8 = 4
  static let object: UInt8 = 5
  /// Length and UTF-8.
  static let text: UInt8 = 6
  /// 32 bytes that are written in base64.
  static let base64Of32: UInt8 = 7
  /// 64 bytes that are written in base64.
  static let base64Of64: UInt8 = 8
  /// 32 bytes that are written in hex.
  static let hexOf32: UInt8 = 9
  /// A user id of today's kind: 7 bytes for the first ten digits of base 36, 10 for the other fifteen.
  static let userID: UInt8 = 10
  /// The number of an earlier text that is no word.
  static let earlier: UInt8 = 11
  /// The number of an earlier text, then length and UTF-8 of what comes after it: begins with a colon.
  static let earlierWithMore: UInt8 = 12
  static let word: UInt8 = 32
}
