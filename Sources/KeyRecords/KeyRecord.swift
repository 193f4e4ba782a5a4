public import Cryptography
import PeerstackFormat

/// A key record whose form and signatures have been verified (protocol §3). Whether it may be is for ``judge(_:in:at:)``
/// to say.
///
/// It never changes, and so is one reference: entries, histories and states hold the same record, and to hand it on costs
/// one count, not one for each field.
public final class KeyRecord: Sendable {
  /// What a record does.
  public enum Action: String, Sendable, Hashable, CaseIterable {
    /// Opens a history.
    case claim
    /// A new key, approved by the signer tier.
    case rotate
    /// A new key, approved by another tier.
    case recover
    /// The same keys, with a new authority, expiry or source; or nothing new, as a veto.
    case amend
    /// The key stops; there is no successor yet.
    case revoke
    /// The id ends for good.
    case retire

    /// Whether the record brings a key in.
    public var bringsKey: Bool { self == .claim || self == .rotate || self == .recover }
    /// Whether a reason is required; elsewhere it must be absent.
    public var needsReason: Bool { self == .rotate || self == .recover || self == .revoke }
    /// Whether the record stops the key it names.
    public var endsKey: Bool { self == .revoke || self == .retire }
  }

  /// Why a key is replaced or stopped.
  public enum Reason: String, Sendable, Hashable {
    /// Nothing happened.
    case routine
    /// The key is gone, in nobody's hands.
    case lost
    /// The key is in wrong hands.
    case compromised
  }

  /// The app.
  public let app: AppID
  /// The user.
  public let subject: UserID
  /// 0 for the claim.
  public let sequence: Int64
  /// The record it builds on; nil for a claim.
  public let previous: RecordHash?
  /// What it does.
  public let action: Action
  /// The key in force afterwards, or the one that stops.
  public let publicKey: VerifyingKey
  /// The X25519 key that goes with it.
  public let publicBoxKey: PublicBoxKey
  /// Who may act, restated in full.
  public let authority: Authority
  /// How often continuity was broken.
  public let incarnation: Int64
  /// Only of actions that need one.
  public let reason: Reason?
  /// From when the key was in wrong hands, where the record states a boundary of its own (§5.8).
  public let compromised: Milliseconds?
  /// From when the key counts as retired for clients.
  public let expires: Milliseconds?
  /// A further registrar that may know of updates.
  public let sourceURL: String?
  /// When it was signed, as the signer says.
  public let modified: Milliseconds
  /// Who approved it: the keys of its approvals and of its outer signature.
  public let approving: Set<VerifyingKey>
  /// The canonical JSON, `signature` included.
  public let canonical: [UInt8]
  /// The record hash.
  public let hash: RecordHash
  /// Of a claim: whether its id is bound to it, once somebody has asked.
  let boundness: Boundness?

  static let requiredFields = [
    "type", "id", "group", "app", "subject", "signer", "sequence", "action", "publicKey", "publicBoxKey", "authority",
    "incarnation", "modified", "approvals", "signature",
  ]
  static let optionalFields = ["previous", "reason", "compromised", "expires", "sourceUrl"]

  /// Reads the fields; verifies the signatures unless they were verified when the record was accepted.
  init(_ json: StrictJSON, of expected: AppID, verifyingSignatures: Bool) throws(Refusal) {
    let fields = try FieldReader(json.value, areKeysVerified: !verifyingSignatures)
    try fields.check(required: Self.requiredFields, optional: Self.optionalFields)
    try fields.expect("type", ObjectType.keyRecord.rawValue)
    try fields.expect("group", "users")
    app = try fields.appID()
    guard app == expected else { throw fields.fail("app") }
    subject = try fields.userID("subject")
    try fields.expect("signer", subject.text)
    guard let action = Action(rawValue: try fields.text("action")) else { throw fields.fail("action") }
    self.action = action
    sequence = try fields.integer("sequence")
    guard (sequence == 0) == (action == .claim) else { throw fields.fail("sequence") }
    try fields.expect("id", "\(subject):k\(sequence)")
    guard fields.has("previous") == (sequence > 0) else { throw fields.fail("previous") }
    previous = sequence > 0 ? try fields.hash("previous") : nil
    publicKey = try fields.verifyingKey("publicKey")
    publicBoxKey = try fields.publicBoxKey("publicBoxKey")
    authority = try fields.authority(inTextOf: json.canonical.count)
    try KeyRecord.checkTiers(of: authority, lack: publicKey)
    incarnation = try fields.integer("incarnation")
    guard action != .claim || incarnation == 0 else { throw fields.fail("incarnation") }
    reason = try KeyRecord.reason(fields, action)
    guard !fields.has("compromised") || reason == .compromised else { throw fields.fail("compromised") }
    compromised = try fields.integerIfPresent("compromised")
    guard !fields.has("expires") || !action.endsKey else { throw fields.fail("expires") }
    expires = try fields.integerIfPresent("expires")
    sourceURL = try KeyRecord.sourceURL(fields)
    modified = try fields.integer("modified")
    let (own, endsKey) = (publicKey, action.endsKey)
    let form = try SignedForm(fields) { first in endsKey ? first ?? own : own }
    if verifyingSignatures { try form.verify(json) }
    approving = form.approving
    canonical = json.canonical
    hash = RecordHash(of: canonical)
    boundness = action == .claim ? Boundness() : nil
  }

  /// A record of which the caller answers for form and signatures (§5.1). It has no canonical text.
  ///
  /// The rules are shown to hold for every order of events by driving ``judge(_:in:at:)`` over far more records than can
  /// be signed. No client has this entrance: it is visible in this package alone, and its tests are its only callers.
  ///
  /// - Parameter hash: Stands for the record hash, and must be another for every record.
  package init(assembling draft: RecordDraft, approving: Set<VerifyingKey>, hash: RecordHash) {
    app = draft.app
    subject = draft.subject
    sequence = draft.sequence
    previous = draft.previous
    action = draft.action
    publicKey = draft.publicKey
    publicBoxKey = draft.publicBoxKey
    authority = draft.authority
    incarnation = draft.incarnation
    reason = draft.reason
    compromised = draft.compromised
    expires = draft.expires
    sourceURL = draft.sourceURL
    modified = draft.modified
    self.approving = approving
    canonical = []
    self.hash = hash
    boundness = draft.action == .claim ? Boundness() : nil
  }

  private static func reason(_ fields: FieldReader, _ action: Action) throws(Refusal) -> Reason? {
    guard fields.has("reason") == action.needsReason else { throw fields.fail("reason") }
    guard action.needsReason else { return nil }
    guard let reason = Reason(rawValue: try fields.text("reason")) else { throw fields.fail("reason") }
    return reason
  }

  /// A signing key must not be in its own tiers of keys (§5.1).
  private static func checkTiers(of authority: Authority, lack key: VerifyingKey) throws(Refusal) {
    for (rank, tier) in authority.tiers.enumerated() {
      if case .keys(_, let keys, _, _) = tier, keys.contains(key) {
        throw .invalidField("/authority/\(rank)/keys")
      }
    }
  }

  private static func sourceURL(_ fields: FieldReader) throws(Refusal) -> String? {
    guard fields.has("sourceUrl") else { return nil }
    let url = try fields.text("sourceUrl")
    guard isSourceURL(url) else { throw fields.fail("sourceUrl") }
    return url
  }

  /// `https://`, a host, printable ASCII without spaces, 512 bytes at most (§3).
  private static func isSourceURL(_ url: String) -> Bool {
    let scheme = "https://"
    guard url.utf8.count <= Limits.sourceURLBytes, url.hasPrefix(scheme),
      url.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
    else { return false }
    let ends: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: ":")]
    return url.utf8.dropFirst(scheme.utf8.count).first.map { !ends.contains($0) } ?? false
  }
}
