public import Cryptography
public import KeyRecords
import PeerstackFormat

/// A keystore as it lies on a disk: read and found to be well-formed, but not opened, so nothing in it is proven.
public struct SealedKeystore: Hashable, Sendable {
  static let typeName = "PeerstackKeystore"
  private static let names: Set<String> = [
    "type", "version", "id", "revision", "apps", "paperKeys", "slots", "nonce", "sealed", "checksum",
  ]

  /// A slot as the file describes it.
  public struct SlotDescription: Hashable, Sendable {
    /// 1 to 32 characters of `[a-z0-9-]`.
    public let name: String
    /// What opens it.
    public let kind: SlotKind
    /// The cost of a guess.
    public let parameters: Argon2idParameters
  }

  let header: Header
  private let nonce: [UInt8]
  private let sealed: [UInt8]

  /// Encrypts contents under a nonce that is drawn here.
  init(_ header: Header, contents: SecretBytes, dataKey: SecretBytes) throws(KeystoreError) {
    self.header = header
    nonce = Randomness.bytes(XChaCha20Poly1305.nonceCount)
    sealed = try Sealing.seal(contents, associatedData: header.associatedData, nonce: nonce, key: dataKey)
  }

  /// Reads the bytes of a file, strictly. Costs no password hash: that only comes with ``unlock(with:)``, with
  /// parameters within `bounds`.
  public init(parsing bytes: [UInt8], bounds: Argon2idBounds = .standard) throws(KeystoreError) {
    guard bytes.count <= KeystoreLimits.fileBytes else { throw .tooLarge(count: bytes.count) }
    let value: JSONValue
    do throws(JSONSyntaxError) {
      value = try JSONValue.parseStrict(bytes, maxDepth: KeystoreLimits.nesting)
    } catch {
      throw error.offset >= bytes.count ? .truncated(count: bytes.count) : .malformed(error)
    }
    guard let object = value.object, object["type"]?.string == Self.typeName else { throw .notAKeystore }
    try Self.checkChecksum(of: object)
    guard let version = object["version"]?.integer else { throw .invalidField(pointer: "/version") }
    guard version == KeystoreLimits.version else { throw .unknownVersion(version) }
    let fields = try StrictFields(value, at: "", names: Self.names)
    header = try Header(fields, bounds: bounds)
    nonce = try fields.bytes("nonce", count: XChaCha20Poly1305.nonceCount)
    sealed = try fields.bytes("sealed")
  }

  /// The bytes of the file.
  public var bytes: [UInt8] {
    let object = header.object.setting("nonce", to: .bytes(nonce)).setting("sealed", to: .bytes(sealed))
    let checksum = Self.checksum(of: object)
    return CanonicalJSON.bytes(of: .object(object.setting("checksum", to: .text(checksum)))) + [UInt8(ascii: "\n")]
  }

  /// The user id the file says it is of.
  public var id: UserID { header.id }
  /// The apps the file says it is for.
  public var apps: [AppID] { header.apps.map(\.app) }
  /// The public halves of the paper keys, the file says.
  public var paperKeys: [VerifyingKey] { header.paperKeys }
  /// How often the keystore was written, it says.
  public var revision: Int64 { header.revision }
  /// The ways to open it.
  public var slots: [SlotDescription] {
    header.slots.map { SlotDescription(name: $0.name, kind: $0.kind, parameters: $0.hash.parameters) }
  }

  /// The registrars of an app, the file says.
  public func registrars(of app: AppID) -> [String] {
    header.apps.first { $0.app == app }?.registrars ?? []
  }

  /// Refuses a keystore that is not of this identity, or not for this app.
  public func check(id: UserID?, app: AppID? = nil) throws(KeystoreError) {
    if let id, id != header.id { throw .otherIdentity(expected: id, found: header.id) }
    if let app, !apps.contains(app) { throw .otherApp(expected: app, found: apps) }
  }

  /// Opens the keystore with a password or a recovery code.
  ///
  /// Takes the time and memory of the password hash, once per slot of the credential's kind until one opens: not on an
  /// event loop.
  public func unlock(with credential: Credential) throws(KeystoreError) -> OpenKeystore {
    let slots = header.slots.filter { $0.kind == credential.kind }
    guard !slots.isEmpty else { throw .noSlot(credential.kind) }
    for slot in slots {
      guard let dataKey = try slot.dataKey(for: credential.secret, id: header.id) else { continue }
      guard
        let plaintext = XChaCha20Poly1305.open(
          sealed, associatedData: header.associatedData, nonce: nonce, key: dataKey)
      else { throw .tampered }
      let contents = try Contents(plaintext, header: header)
      return OpenKeystore(header: header, contents: contents, dataKey: dataKey, openedSlot: slot.name)
    }
    throw credential.mismatch
  }

  /// The checksum finds accidents, not attacks: it needs no key. It is the same in every version of the format.
  private static func checkChecksum(of object: JSONObject) throws(KeystoreError) {
    guard let checksum = object["checksum"]?.string else { throw .invalidField(pointer: "/checksum") }
    guard checksum == Self.checksum(of: object.omitting(["checksum"])) else { throw .damaged }
  }

  private static func checksum(of object: JSONObject) -> String {
    SHA256.hash(CanonicalJSON.bytes(of: .object(object))).hex
  }
}
