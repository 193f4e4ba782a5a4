public import Cryptography

/// Signatures over the hash of objects, in the three spellings peerstack reads. Each single Ed25519 verification is
/// libsodium's: stricter than the library's own (S must be reduced, keys and R must not be of small order).
public enum PeerstackSignature {
  /// The spelling that verified.
  public enum Form: String, Hashable, Sendable {
    /// 64 bytes in base64: what peerstack writes today.
    case detached
    /// Signature and message together, 128 bytes in base64.
    case attached
    /// Signature and message together as base-36 pairs.
    case attachedBase36 = "attached-base36"
  }

  /// What came of a verification.
  public enum Verdict: Hashable, Sendable {
    /// The signature is the key's, for this hash.
    case accepted(Form)
    /// A signature and a key could be read, but do not verify this hash.
    case rejected
    /// No signature of 64 or 128 bytes, or no key of 32 bytes, can be read: nothing was verified.
    case unreadable

    /// Whether the signature was accepted.
    public var isAccepted: Bool {
      if case .accepted = self { true } else { false }
    }
  }

  /// Verifies a signature text for the hash of an object.
  public static func verify(signature: JSONString, hash: Bytes32, publicKey: JSONString) -> Verdict {
    var buffer: [UInt8] = []
    guard let key = PeerstackKeys.verifyingKey(publicKey, buffer: &buffer) else { return .unreadable }
    return verify(signature: signature, hash: hash, publicKey: key)
  }

  /// Verifies a signature text for the hash of an object.
  public static func verify(signature: JSONString, hash: Bytes32, publicKey: VerifyingKey) -> Verdict {
    var hashText: [UInt8] = []
    Hex.append(hash, to: &hashText)
    var buffer: [UInt8] = []
    return signature.withSpan {
      verify(signature: $0, hashText: hashText.span, publicKey: publicKey, buffer: &buffer)
    }
  }

  /// Verifies an object with its own `signature`. The object's hash does not depend on that.
  public static func verify(_ object: JSONValue, publicKey: JSONString) -> Verdict {
    guard let hash = ObjectHash.hash(of: object), let signature = object.object?["signature"]?.jsonString else {
      return .unreadable
    }
    return verify(signature: signature, hash: hash, publicKey: publicKey)
  }

  /// The order is peerstack's: the default reading detached, then attached, then base-36 pairs attached.
  static func verify(
    signature: Span<UInt8>, hashText: Span<UInt8>, publicKey: VerifyingKey, buffer: inout [UInt8]
  ) -> Verdict {
    var isReadable = false
    if !PeerstackEncoding.decodeBase64(signature, into: &buffer) {
      PeerstackEncoding.decodePairs(signature, into: &buffer)
    }
    if let signature = Signature(span: buffer.span) {
      isReadable = true
      if publicKey.isValidSignature(signature, for: hashText) { return .accepted(.detached) }
    }
    if let isValid = opens(buffer.span, hashText: hashText, publicKey: publicKey) {
      isReadable = true
      if isValid { return .accepted(.attached) }
    }
    PeerstackEncoding.decodePairs(signature, into: &buffer)
    if let isValid = opens(buffer.span, hashText: hashText, publicKey: publicKey) {
      isReadable = true
      if isValid { return .accepted(.attachedBase36) }
    }
    return isReadable ? .rejected : .unreadable
  }

  /// Whether an attached signature is for exactly this hash; nil if it has not the length of one.
  private static func opens(_ bytes: Span<UInt8>, hashText: Span<UInt8>, publicKey: VerifyingKey) -> Bool? {
    guard bytes.count == Signature.count + hashText.count,
      let signature = Signature(span: bytes.extracting(first: Signature.count))
    else { return nil }
    guard WTF8.equal(bytes.extracting(droppingFirst: Signature.count), hashText) else { return false }
    return publicKey.isValidSignature(signature, for: hashText)
  }

  /// The object with `signer` and then `signature` set, as peerstack signs it: `signer` is part of what is hashed.
  ///
  /// This signs any object. Tools that hold keys refuse certain types before they come here (protocol §3).
  public static func sign(_ object: JSONObject, as signer: JSONString, with key: SigningKey) -> JSONObject {
    let unsigned = object.omitting(["signature"]).setting("signer", to: .string(signer))
    let hash = SHA256.hash(CanonicalJSON.bytes(of: .object(unsigned)))
    return unsigned.setting("signature", to: .text(signatureText(for: hash, with: key)))
  }

  /// The detached signature over the hex text of a hash, in base64.
  public static func signatureText(for hash: Bytes32, with key: SigningKey) -> String {
    Base64.encode(key.signature(for: Array(hash.hex.utf8)).bytes)
  }
}
