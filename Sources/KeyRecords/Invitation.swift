public import Cryptography
public import PeerstackFormat

/// An admin's leave to claim, whose form and signature have been verified (protocol §7).
public struct Invitation: Sendable, Hashable {
  /// The app.
  public let app: AppID
  /// The one who may use it; nil: anybody.
  public let subject: UserID?
  /// 1…64 characters, used once per app for ever.
  public let nonce: String
  /// Good while now is before this.
  public let expires: Milliseconds
  /// The admin key that signed it.
  public let publicKey: VerifyingKey

  /// Reads and verifies an invitation; whatever is wrong is `admission-refused`.
  public static func verify(_ value: JSONValue) -> Result<Invitation, Refusal> {
    do throws(Refusal) {
      return .success(try Invitation(value))
    } catch {
      return .failure(Refusal(.admissionRefused))
    }
  }

  private init(_ value: JSONValue) throws(Refusal) {
    let fields = try FieldReader(value)
    try fields.check(
      required: ["type", "app", "nonce", "expires", "publicKey", "signature"], optional: ["subject"])
    try fields.expect("type", ObjectType.invitation.rawValue)
    app = try fields.appID()
    subject = fields.has("subject") ? try fields.userID("subject") : nil
    nonce = try fields.nonce()
    expires = try fields.integer("expires")
    publicKey = try fields.verifyingKey("publicKey")
    let hash = SHA256.hash(CanonicalJSON.bytesWithoutSignature(of: value))
    guard SignedForm.isValid(try fields.signature(), by: publicKey, of: hash) else { throw fields.fail("signature") }
  }

  /// Whether it lets this user claim now. That its nonce was not used is the registrar's to know.
  func admits(_ user: UserID, to app: AppID, at now: Milliseconds, under policy: PolicyRules) -> Bool {
    self.app == app && (subject == nil || subject == user) && now < expires
      && policy.admins.keys.contains(publicKey)
  }
}
