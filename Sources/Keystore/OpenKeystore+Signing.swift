public import Cryptography
public import PeerstackFormat

/// Why something was not signed.
public enum SigningError: Error, Hashable, Sendable {
  /// Objects of this type decide about keys: only who builds key records signs them (protocol §3).
  case reservedType(String)
  /// A text of 64 hex digits could be the hash of such an object (protocol §3).
  case looksLikeHash
  /// The text has lone surrogates.
  case notUTF8
  /// No key of this keystore is in force in the app.
  case noKeyInForce(app: String)
}

extension SigningError: CustomStringConvertible {
  /// A sentence for people: what failed, then what to do.
  public var description: String {
    switch self {
    case .reservedType(let type):
      "a \(type) object is not signed like other objects, it decides about keys: use the command for it"
    case .looksLikeHash: "a text of 64 hex digits is not signed, it could approve a change of keys: sign another text"
    case .notUTF8: "the text has half surrogate pairs: sign text that is UTF-8"
    case .noKeyInForce(let app): "no key of this keystore is in force in \(app): claim, rotate or recover first"
    }
  }
}

/// Signs hashes of key records, approvals and other registrar objects.
///
/// Whoever holds one can change keys: it is for the code that builds such objects, never for general signing.
public protocol RecordSigner: Sendable {
  /// The public half of the key that signs.
  var verifyingKey: VerifyingKey { get }
  /// The signature over the 64 lower-case hex characters of a hash (protocol §1.1).
  func signature(forHash hash: Bytes32) -> Signature
}

/// A ``RecordSigner`` with a key in memory.
struct KeyRecordSigner: RecordSigner {
  let key: SigningKey

  var verifyingKey: VerifyingKey { key.verifyingKey }

  func signature(forHash hash: Bytes32) -> Signature {
    key.signature(for: Array(hash.hex.utf8))
  }
}

extension OpenKeystore {
  /// Types of objects that the general signing calls refuse (protocol §3).
  public static let reservedTypes: Set<String> = [
    "PublicKey", "AppPolicy", "Adjudication", "Invitation", "Request",
  ]

  private static let hashTextCount = 64

  /// The object with `signer` and `signature`, by the key in force in `app`.
  public func sign(_ object: JSONObject, app: String) throws(SigningError) -> JSONObject {
    if let type = object["type"]?.string, Self.reservedTypes.contains(type) { throw .reservedType(type) }
    return PeerstackSignature.sign(object, as: JSONString(id), with: try currentKey(in: app))
  }

  /// The text with an attached signature in base64 (peerstack's signed message), by the key in force in `app`.
  public func sign(_ text: JSONString, app: String) throws(SigningError) -> String {
    let bytes = text.bytes
    if bytes.count == Self.hashTextCount, bytes.allSatisfy(Self.isHexDigit) { throw .looksLikeHash }
    let key = try currentKey(in: app)
    do {
      return try SignedMessage.sign(text, with: key)
    } catch {
      throw .notUTF8
    }
  }

  /// The right to sign key records with a held key: that in force, that of a change, or a former one. Nil if the key
  /// is not held.
  public func recordSigner(for publicKey: VerifyingKey) -> (any RecordSigner)? {
    contents.signingKey(for: publicKey).map { KeyRecordSigner(key: $0) }
  }

  /// The box key that goes with the key in force in `app`; nil if there is none.
  public func boxKey(in app: String) -> BoxKey? {
    try? currentKey(in: app).boxKey
  }

  private func currentKey(in app: String) throws(SigningError) -> SigningKey {
    guard let current = state(in: app)?.current, let key = contents.signingKey(for: current) else {
      throw .noKeyInForce(app: app)
    }
    return key
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}
