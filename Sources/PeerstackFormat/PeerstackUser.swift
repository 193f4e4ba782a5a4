public import Cryptography

/// A peerstack `User` object, unsigned.
public struct PeerstackUser: Hashable, Sendable {
  /// The `modified` of a user that was only derived from a secret key.
  public static let hydratedModified: Int64 = 1

  /// The user id.
  public let id: JSONString
  /// The display name; never empty.
  public let name: JSONString
  /// The Ed25519 key in base64.
  public let publicKey: String
  /// The X25519 key in base64.
  public let publicBoxKey: String
  /// Milliseconds since 1970.
  public let modified: Int64

  /// The user of a new signing key. An empty or absent name becomes the id.
  public init(id: JSONString, key: SigningKey, name: JSONString? = nil, modified: Int64) {
    self.init(
      id: id, name: name, publicKey: key.verifyingKey.bytes, publicBoxKey: key.boxKey.publicKey, modified: modified)
  }

  /// What peerstack's `hydrateUser` derives from a secret key's text. The public key is the second half, unchecked.
  public init(
    hydrating id: JSONString, secretKey: JSONString, name: JSONString? = nil
  ) throws(PeerstackKeys.KeyError) {
    var bytes = PeerstackEncoding.decode(secretKey)
    if bytes.count != SigningKey.secretKeyCount { bytes = PeerstackEncoding.decodePairs(secretKey) }
    let count = bytes.count
    // The library halves the bytes and rounds down: of 65 the public key gets 33.
    let publicKey = Array(bytes[(count / 2)...])
    var seed = Array(bytes[..<(count / 2)])
    guard let boxKey = BoxKey(secret: SecretBytes(wiping: &seed)) else { throw .secretKeySize(count) }
    self.init(
      id: id, name: name, publicKey: publicKey, publicBoxKey: boxKey.publicKey, modified: Self.hydratedModified)
  }

  private init(id: JSONString, name: JSONString?, publicKey: [UInt8], publicBoxKey: PublicBoxKey, modified: Int64) {
    self.id = id
    self.name = name.map { $0 == "" ? id : $0 } ?? id
    self.publicKey = Base64.encode(publicKey)
    self.publicBoxKey = Base64.encode(publicBoxKey.bytes32)
    self.modified = modified
  }

  /// The object, without a signature.
  public var object: JSONObject {
    [
      "type": "User", "id": .string(id), "group": "users", "name": .string(name), "publicKey": .text(publicKey),
      "publicBoxKey": .text(publicBoxKey), "modified": .integer(modified),
    ]
  }
}
