public import Cryptography
import PeerstackFormat

/// A member's signed request to read (protocol §8, "Members only"). Its form has been read; its signature is verified
/// against a key by ``isSigned(by:)``, since only the signer's history says which key that is.
public struct AccessRequest: Sendable {
  /// The app.
  public let app: AppID
  /// The user who asks.
  public let signer: UserID
  /// The HTTP method.
  public let method: String
  /// Path and query, without the `authorization` parameter.
  public let target: String
  /// When it was signed, as the signer says.
  public let modified: Milliseconds
  /// 1…64 characters, used once.
  public let nonce: String

  private let signature: Signature
  private let signedHash: Bytes32

  /// Reads a request; whatever is wrong is `not-authorised`.
  public static func read(_ text: [UInt8]) -> Result<AccessRequest, Refusal> {
    do {
      return .success(try AccessRequest(JSONValue.parseStrict(text)))
    } catch {
      return .failure(Refusal(.notAuthorised))
    }
  }

  private init(_ value: JSONValue) throws(Refusal) {
    let fields = try FieldReader(value)
    try fields.check(required: ["type", "app", "signer", "method", "target", "modified", "nonce", "signature"])
    try fields.expect("type", ObjectType.request.rawValue)
    app = try fields.appID()
    signer = try fields.userID("signer")
    method = try fields.text("method")
    target = try fields.text("target")
    modified = try fields.integer("modified")
    nonce = try fields.nonce()
    signature = try fields.signature()
    signedHash = SHA256.hash(CanonicalJSON.bytesWithoutSignature(of: value))
  }

  /// Whether the signature is this key's.
  public func isSigned(by key: VerifyingKey) -> Bool {
    SignedForm.isValid(signature, by: key, of: signedHash)
  }

  /// Whether `modified` is within ±5 min of `now`.
  public func isFresh(at now: Milliseconds) -> Bool {
    abs(modified - now) <= Limits.clockSkew
  }
}
