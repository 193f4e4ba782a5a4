public import Cryptography
public import KeyRecords
import PeerstackFormat

/// An identity as peerstack itself stores it: JSON with `id` and `secretKey`, in the clear.
///
/// The secret passes through ordinary memory while it is text: that cannot be wiped. It is the price of this format.
public struct PlainIdentity: Sendable {
  /// Largest text that is read, in bytes.
  public static let maxBytes = 65_536

  /// Why a text was not taken. None of these carries any of it.
  public enum Failure: Error, Hashable, Sendable {
    /// More than ``maxBytes``.
    case tooLarge(count: Int)
    /// No JSON object.
    case malformed
    /// No `id`, or one that is no user id (protocol §2.2).
    case invalidID
    /// No `secretKey`, or one that has not 64 bytes or whose halves do not belong together.
    case invalidSecretKey
    /// A `publicKey` that is not that of the secret.
    case otherPublicKey
  }

  /// The user id.
  public let id: UserID
  /// The secret key.
  public let key: SigningKey

  /// Puts both together.
  public init(id: UserID, key: SigningKey) {
    self.id = id
    self.key = key
  }

  /// Reads peerstack's JSON: any spelling of keys that peerstack reads, and members that are not needed.
  public init(parsing text: SecretBytes) throws(Failure) {
    guard text.count <= Self.maxBytes else { throw .tooLarge(count: text.count) }
    var bytes = text.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
    defer { _ = SecretBytes(wiping: &bytes) }
    guard let object = (try? JSONValue.parseLenient(bytes))?.object else { throw .malformed }
    guard let id = object["id"]?.string.flatMap({ UserID($0) }) else { throw .invalidID }
    guard let secretKey = object["secretKey"]?.jsonString, let given = try? PeerstackKeys.signingKey(secretKey),
      let key = given.withSecretKey64({ SigningKey(secretKey: SecretBytes(copying: $0)) })
    else { throw .invalidSecretKey }
    if let publicKey = object["publicKey"] {
      guard let text = publicKey.jsonString, (try? PeerstackKeys.verifyingKey(text)) == key.verifyingKey else {
        throw .otherPublicKey
      }
    }
    self.init(id: id, key: key)
  }

  /// `{"id":…,"secretKey":…}` as peerstack's `hydrateUser` takes it, in UTF-8.
  public var text: SecretBytes {
    let object: JSONValue = .object([
      "id": .text(id.text), "secretKey": .text(PeerstackKeys.secretKeyText(of: key)),
    ])
    var bytes = object.text
    return SecretBytes(wiping: &bytes)
  }
}

extension PlainIdentity: CustomStringConvertible, CustomReflectable {
  /// The id only.
  public var description: String { "PlainIdentity(\(id), redacted)" }

  /// Empty, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

extension PlainIdentity.Failure: CustomStringConvertible {
  /// A sentence for people, without any of the text.
  public var description: String {
    switch self {
    case .tooLarge(let count): "the text has \(count) bytes, more than \(PlainIdentity.maxBytes): give another file"
    case .malformed: "the text is no JSON object: give {\"id\": …, \"secretKey\": …}"
    case .invalidID: "there is no user id in \"id\": give {\"id\": …, \"secretKey\": …}"
    case .invalidSecretKey: "there is no whole secret key in \"secretKey\": give the 64 bytes that peerstack stores"
    case .otherPublicKey: "\"publicKey\" is not the public half of \"secretKey\": find out which of them is right"
    }
  }
}

extension OpenKeystore {
  /// The identity with a held key, in peerstack's own format; nil if the key is not held.
  public func plainIdentity(with publicKey: VerifyingKey) -> PlainIdentity? {
    contents.signingKey(for: publicKey).map { PlainIdentity(id: id, key: $0) }
  }
}
