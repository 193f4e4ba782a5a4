public import Cryptography

/// Keys as texts, the way peerstack writes and reads them.
public enum PeerstackKeys {
  /// Why a text is no key.
  public enum KeyError: Error, Hashable, Sendable {
    /// A secret key with another number of bytes than 64 (or, to hydrate a user, than 64 or 65).
    case secretKeySize(Int)
    /// A public key with another number of bytes than 32.
    case publicKeySize(Int)
  }

  /// Characters of a signing key in base-36 pairs; a text of this length is never read otherwise.
  static let publicKeyPairsCount = 64
  /// Characters of a secret key in base-36 pairs; a text of this length is never read otherwise.
  static let secretKeyPairsCount = 128

  /// The Ed25519 key of a text: base-36 pairs if it has exactly 64 characters, else the default way. Only the number
  /// of bytes is checked.
  public static func verifyingKey(_ text: JSONString) throws(KeyError) -> VerifyingKey {
    var bytes: [UInt8] = []
    guard let key = verifyingKey(text, buffer: &bytes) else { throw .publicKeySize(bytes.count) }
    return key
  }

  static func verifyingKey(_ text: JSONString, buffer: inout [UInt8]) -> VerifyingKey? {
    text.withSpan { verifyingKey($0, buffer: &buffer) }
  }

  static func verifyingKey(_ text: Span<UInt8>, buffer: inout [UInt8]) -> VerifyingKey? {
    let isPairs = WTF8.utf16Count(text) == publicKeyPairsCount
    if isPairs || !PeerstackEncoding.decodeBase64(text, into: &buffer) {
      PeerstackEncoding.decodePairs(text, into: &buffer)
    }
    return VerifyingKey(span: buffer.span)
  }

  /// The signing key of a text: base-36 pairs if it has exactly 128 characters, else the default way. As in peerstack
  /// the public half is taken as it is; ``SigningKey/init(secretKey:)`` is the reader that compares it.
  public static func signingKey(_ text: JSONString) throws(KeyError) -> SigningKey {
    let bytes = secretBytes(text)
    guard let key = SigningKey(uncheckedSecretKey: bytes) else { throw .secretKeySize(bytes.count) }
    return key
  }

  /// The bytes of a secret key's text, however many.
  static func secretBytes(_ text: JSONString) -> SecretBytes {
    let isPairs = text.utf16.count == secretKeyPairsCount
    var bytes = isPairs ? PeerstackEncoding.decodePairs(text) : PeerstackEncoding.decode(text)
    return SecretBytes(wiping: &bytes)
  }

  /// The text of a secret key: base64 of seed and public key. It is a secret: it cannot be wiped.
  public static func secretKeyText(of key: SigningKey) -> String {
    key.withSecretKey64 { Base64.encode($0) }
  }

  /// Whether two texts are the same key for peerstack: texts of 64 characters are converted to base64, then the texts
  /// are compared, so two base64 spellings of the same bytes differ.
  public static func areEqual(_ left: JSONString, _ right: JSONString) -> Bool {
    comparable(left) == comparable(right)
  }

  private static func comparable(_ text: JSONString) -> JSONString {
    guard text.utf16.count == publicKeyPairsCount else { return text }
    return JSONString(Base64.encode(PeerstackEncoding.decodePairs(text)))
  }
}
