public import Cryptography

/// Texts with an attached signature: 64 bytes of signature, then the text in UTF-8.
public enum SignedMessage {
  /// Why a message was not signed or opened.
  public enum Failure: Error, Hashable, Sendable {
    /// The text has lone surrogates, or the signed bytes are not UTF-8.
    case notUTF8
    /// The public key does not have 32 bytes.
    case publicKeySize(Int)
    /// Neither reading of the text verifies.
    case notVerified
  }

  /// The signed message in base64.
  ///
  /// This signs any text. Tools that hold keys refuse certain texts before they come here (protocol §3).
  public static func sign(_ message: JSONString, with key: SigningKey) throws(Failure) -> String {
    guard let text = message.string else { throw .notUTF8 }
    let bytes = Array(text.utf8)
    return Base64.encode(key.signature(for: bytes).bytes + bytes)
  }

  /// The text of a signed message: read the default way or, if that does not verify, as base-36 pairs.
  public static func open(_ signed: JSONString, publicKey: JSONString) throws(Failure) -> String {
    var buffer: [UInt8] = []
    guard let key = PeerstackKeys.verifyingKey(publicKey, buffer: &buffer) else {
      throw .publicKeySize(buffer.count)
    }
    guard
      let message = key.open(signedMessage: PeerstackEncoding.decode(signed))
        ?? key.open(signedMessage: PeerstackEncoding.decodePairs(signed))
    else { throw .notVerified }
    guard let text = String(validating: message, as: UTF8.self) else { throw .notUTF8 }
    return text
  }
}
