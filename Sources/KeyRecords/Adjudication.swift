public import Cryptography
import PeerstackFormat

/// The admins' answer to rival claims, whose form and signatures have been verified (protocol §6).
public struct Adjudication: Sendable {
  /// Characters of the winner's hash in the id.
  public static let idCount = 16

  /// The app.
  public let app: AppID
  /// The user.
  public let subject: UserID
  /// The claim that stands.
  public let winner: RecordHash
  /// When it was signed, as the signers say.
  public let modified: Milliseconds
  /// Who approved it.
  public let approving: Set<VerifyingKey>
  /// The canonical JSON, `signature` included.
  public let canonical: [UInt8]
  /// The record hash.
  public let hash: RecordHash

  static let requiredFields = ["type", "id", "app", "subject", "winner", "modified", "approvals", "signature"]

  init(_ json: StrictJSON, of expected: AppID, verifyingSignatures: Bool) throws(Refusal) {
    let fields = try FieldReader(json.value, areKeysVerified: !verifyingSignatures)
    try fields.check(required: Self.requiredFields)
    try fields.expect("type", ObjectType.adjudication.rawValue)
    app = try fields.appID()
    guard app == expected else { throw fields.fail("app") }
    subject = try fields.userID("subject")
    winner = try fields.hash("winner")
    try fields.expect("id", "\(subject):a\(winner.hex.prefix(Self.idCount))")
    modified = try fields.integer("modified")
    let form = try SignedForm(fields) { $0 }
    if verifyingSignatures { try form.verify(json) }
    approving = form.approving
    canonical = json.canonical
    hash = RecordHash(of: canonical)
  }
}
