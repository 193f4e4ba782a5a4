public import Cryptography

/// An encrypted value from one user to another, as peerstack sends it.
///
/// The plaintext is the wire text with each UTF-16 unit cut down to its low byte, so texts beyond U+00FF do not
/// survive. The sender's id is not authenticated: only the sender's key is.
public struct PeerstackBox: Hashable, Sendable {
  /// Who says to be the sender.
  public let fromUserID: JSONString
  /// The ciphertext as text.
  public let contents: JSONString
  /// The nonce as text.
  public let nonce: JSONString

  /// Why a box was not made or not opened.
  public enum Failure: Error, Hashable, Sendable {
    /// The public box key does not have 32 bytes.
    case publicKeySize(Int)
    /// The nonce does not have 24 bytes.
    case nonceSize(Int)
    /// The public box key is of small order (libsodium refuses what tweetnacl lets pass).
    case weakKey
    /// The box was changed, or is not between these keys.
    case notVerified
    /// What was inside cannot be read.
    case wire(PeerstackWire.Failure)
  }

  /// A box as it arrived.
  public init(fromUserID: JSONString, contents: JSONString, nonce: JSONString) {
    self.fromUserID = fromUserID
    self.contents = contents
    self.nonce = nonce
  }

  /// Encrypts a wire text (``PeerstackWire/text(of:)``) for a recipient. A nonce of 24 bytes is drawn unless given.
  public init(
    sealing text: JSONString, from userID: JSONString, with key: BoxKey, to recipient: JSONString,
    nonce: [UInt8] = Randomness.bytes(BoxKey.nonceCount)
  ) throws(Failure) {
    guard nonce.count == BoxKey.nonceCount else { throw .nonceSize(nonce.count) }
    let plaintext = text.utf16.map { UInt8(truncatingIfNeeded: $0) }
    guard let box = key.seal(plaintext, nonce: nonce, for: try Self.publicKey(recipient)) else { throw .weakKey }
    self.init(
      fromUserID: userID, contents: JSONString(Base64.encode(box)), nonce: JSONString(Base64.encode(nonce)))
  }

  /// Decrypts the box with the key of either end and reads what is inside.
  public func open(from sender: JSONString, with key: BoxKey) throws(Failure) -> PeerstackWire.Reading {
    let nonce = PeerstackEncoding.decode(nonce)
    guard nonce.count == BoxKey.nonceCount else { throw .nonceSize(nonce.count) }
    let senderKey = try Self.publicKey(sender)
    guard let plaintext = key.open(PeerstackEncoding.decode(contents), nonce: nonce, from: senderKey) else {
      throw .notVerified
    }
    let text = WTF8.bytes(of: plaintext.lazy.map { UInt16($0) })
    do {
      return try PeerstackWire.read(text)
    } catch {
      throw .wire(error)
    }
  }

  /// The box key that goes with a signing key's text: its secret is the seed.
  public static func boxKey(secretKey: JSONString) throws(PeerstackKeys.KeyError) -> BoxKey {
    try PeerstackKeys.signingKey(secretKey).boxKey
  }

  /// A box key is always read the default way, unlike a signing key.
  private static func publicKey(_ text: JSONString) throws(Failure) -> PublicBoxKey {
    let bytes = PeerstackEncoding.decode(text)
    guard let key = PublicBoxKey(bytes) else { throw .publicKeySize(bytes.count) }
    return key
  }

  /// The box as an object.
  public var object: JSONObject {
    ["fromUserId": .string(fromUserID), "contents": .string(contents), "nonce": .string(nonce)]
  }
}
