public import Cryptography
public import PeerstackFormat

/// The part of an app's policy that rules look at (protocol §7).
public struct PolicyRules: Hashable, Sendable {
  /// Who may claim.
  public enum Admission: String, Sendable, Hashable {
    /// Everybody.
    case open
    /// Who was invited by an admin.
    case invite
  }

  /// Who may read keys and histories.
  public enum RecordRead: String, Sendable, Hashable {
    /// Everybody.
    case `public`
    /// The app's users.
    case members
  }

  /// The app's admins.
  public var admins: Admins
  /// Who may claim.
  public var admission: Admission
  /// Ids made at or after this time must be bound; nil: none.
  public var boundSince: Milliseconds?
  /// How long after a first claim rivals are let in.
  public var contestWindow: Milliseconds
  /// Who may read.
  public var recordRead: RecordRead

  /// Rules as given; for an app that is made now, ``standard(admins:created:)``.
  public init(
    admins: Admins, admission: Admission = .open, boundSince: Milliseconds? = nil, contestWindow: Milliseconds = 0,
    recordRead: RecordRead = .public
  ) {
    self.admins = admins
    self.admission = admission
    self.boundSince = boundSince
    self.contestWindow = contestWindow
    self.recordRead = recordRead
  }

  /// The defaults of §7: `open`, bound since the app's creation, no contests, `public`.
  public static func standard(admins: Admins, created: Milliseconds) -> PolicyRules {
    PolicyRules(admins: admins, boundSince: created)
  }

  /// Reads the fields of rules, and leaves all others to the caller.
  init(_ fields: FieldReader) throws(Refusal) {
    admins = try fields.admins()
    guard let admission = Admission(rawValue: try fields.text("admission")) else { throw fields.fail("admission") }
    self.admission = admission
    guard let boundSince = fields.object["boundSince"] else { throw fields.fail("boundSince") }
    self.boundSince = boundSince.isNull ? nil : try fields.integer("boundSince")
    contestWindow = try fields.integer("contestWindow", in: Limits.contestWindow)
    guard let read = RecordRead(rawValue: try fields.text("recordRead")) else { throw fields.fail("recordRead") }
    recordRead = read
  }

  /// Reads rules from JSON that has no other fields, as conformance histories have them.
  public static func read(_ value: JSONValue) -> Result<PolicyRules, Refusal> {
    Result { () throws(Refusal) in try PolicyRules(FieldReader(value)) }
  }

  /// The members of the rules.
  public var members: [(JSONString, JSONValue)] {
    [
      ("admins", admins.json), ("admission", .text(admission.rawValue)),
      ("boundSince", boundSince.map { .integer($0) } ?? .null), ("contestWindow", .integer(contestWindow)),
      ("recordRead", .text(recordRead.rawValue)),
    ]
  }
}

/// An app policy whose form and signatures have been verified (protocol §7).
public struct AppPolicy: Sendable {
  /// The app.
  public let app: AppID
  /// 0 for the first.
  public let sequence: Int64
  /// The policy it builds on; nil for the first.
  public let previous: RecordHash?
  /// What it says.
  public let rules: PolicyRules
  /// When it was signed, as the signer says.
  public let modified: Milliseconds
  /// Who approved it.
  public let approving: Set<VerifyingKey>
  /// The canonical JSON, `signature` included.
  public let canonical: [UInt8]
  /// The record hash.
  public let hash: RecordHash

  static let requiredFields = [
    "type", "id", "app", "sequence", "admins", "admission", "boundSince", "contestWindow", "recordRead", "modified",
    "approvals", "signature",
  ]

  init(_ json: StrictJSON, of expected: AppID, verifyingSignatures: Bool) throws(Refusal) {
    let fields = try FieldReader(json.value, areKeysVerified: !verifyingSignatures)
    try fields.check(required: Self.requiredFields, optional: ["previous"])
    try fields.expect("type", ObjectType.policy.rawValue)
    app = try fields.appID()
    guard app == expected else { throw fields.fail("app") }
    sequence = try fields.integer("sequence")
    try fields.expect("id", "\(app):p\(sequence)")
    guard fields.has("previous") == (sequence > 0) else { throw fields.fail("previous") }
    previous = sequence > 0 ? try fields.hash("previous") : nil
    rules = try PolicyRules(fields)
    modified = try fields.integer("modified")
    let form = try SignedForm(fields) { $0 }
    if verifyingSignatures { try form.verify(json) }
    approving = form.approving
    canonical = json.canonical
    hash = RecordHash(of: canonical)
  }
}
