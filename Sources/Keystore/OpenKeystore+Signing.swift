public import Cryptography
public import KeyRecords
public import PeerstackFormat

/// Why something was not signed.
public enum SigningError: Error, Hashable, Sendable {
  /// Objects of this type decide about keys: only who builds key records signs them (protocol §3).
  case reservedType(ObjectType)
  /// A text of 64 hex digits could be the hash of such an object (protocol §3).
  case looksLikeHash
  /// The text has lone surrogates.
  case notUTF8
  /// No key of this keystore is in force in the app.
  case noKeyInForce(app: AppID)
}

extension SigningError: CustomStringConvertible {
  /// A sentence for people: what failed, then what to do.
  public var description: String {
    switch self {
    case .reservedType(let type):
      "a \(type.rawValue) object is not signed like other objects, it decides about keys: use the command for it"
    case .looksLikeHash: "a text of 64 hex digits is not signed, it could approve a change of keys: sign another text"
    case .notUTF8: "the text has half surrogate pairs: sign text that is UTF-8"
    case .noKeyInForce(let app): "no key of this keystore is in force in \(app): claim, rotate or recover first"
    }
  }
}

extension OpenKeystore {
  private static let hashTextCount = 64

  /// The object with `signer` and `signature`, by the key in force in `app`.
  public func sign(_ object: JSONObject, app: AppID) throws(SigningError) -> JSONObject {
    if let type = object["type"]?.string.flatMap(ObjectType.init(rawValue:)) { throw .reservedType(type) }
    return PeerstackSignature.sign(object, as: JSONString(id.text), with: try currentKey(in: app))
  }

  /// The text with an attached signature in base64 (peerstack's signed message), by the key in force in `app`.
  public func sign(_ text: JSONString, app: AppID) throws(SigningError) -> String {
    let bytes = text.bytes
    if bytes.count == Self.hashTextCount, bytes.allSatisfy(Hex.isDigit) { throw .looksLikeHash }
    let key = try currentKey(in: app)
    do {
      return try SignedMessage.sign(text, with: key)
    } catch {
      throw .notUTF8
    }
  }

  /// Bytes of randomness in the nonce of a request.
  private static let nonceBytes = 16

  /// The value of `Authorization` for a request, where an app lets only members read (protocol §8): signed by the key in
  /// force, or by the one that a change under way brings in, which may be in force already. Nil without such a key.
  ///
  /// An app gives it to its registrar in a line:
  /// `authorization: { keystore.authorization(app: app, method: $0.method.rawValue, target: $0.target, at: clock.now()) }`
  ///
  /// - Parameters:
  ///   - method: `GET` or `POST`.
  ///   - target: Path and query, from the root of the registrar, without `authorization`.
  ///   - now: Milliseconds since 1970; the registrar takes five minutes more or less.
  public func authorization(app: AppID, method: String, target: String, at now: Milliseconds) -> String? {
    let incoming = changes.last { $0.app == app && $0.record != nil }?.publicKey
    guard let key = incoming ?? state(in: app)?.current, let signer = contents.signingKey(for: key) else { return nil }
    let request = Draft([
      "type": .text(ObjectType.request.rawValue), "app": .text(app.text), "signer": .text(id.text),
      "method": .text(method), "target": .text(target), "modified": .integer(now),
      "nonce": .text(Base64.encode(Randomness.bytes(Self.nonceBytes))),
    ])
    return "Peerstack " + Base64.encode(request.signedWithoutApprovals(by: signer))
  }

  /// The right to sign key records with a held key: that in force, that of a change, or a former one. Nil if the key
  /// is not held.
  public func recordSigner(for publicKey: VerifyingKey) -> (any RecordSigner)? {
    contents.signingKey(for: publicKey)
  }

  /// The public box key that goes with a held key; nil if the key is not held.
  public func publicBoxKey(for publicKey: VerifyingKey) -> PublicBoxKey? {
    contents.signingKey(for: publicKey)?.boxKey.publicKey
  }

  /// The box key that goes with the key in force in `app`; nil if there is none.
  public func boxKey(in app: AppID) -> BoxKey? {
    try? currentKey(in: app).boxKey
  }

  private func currentKey(in app: AppID) throws(SigningError) -> SigningKey {
    guard let current = state(in: app)?.current, let key = contents.signingKey(for: current) else {
      throw .noKeyInForce(app: app)
    }
    return key
  }
}
