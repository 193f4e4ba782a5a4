import Cryptography
import KeyRecords
import PeerstackFormat

/// A way to open a keystore: its data key, encrypted with a key that comes from a password or a code.
struct Slot: Hashable, Sendable {
  private static let names: Set<String> = ["name", "kind", "hash", "nonce", "wrappedKey"]
  private static let wrappedCount = KeystoreLimits.dataKeyBytes + XChaCha20Poly1305.overheadCount

  let name: String
  let kind: SlotKind
  let hash: PasswordHash
  let nonce: [UInt8]
  let wrappedKey: [UInt8]

  /// Wraps the data key of the identity `id`. Costs what the parameters say.
  init(_ new: NewSlot, id: UserID, dataKey: SecretBytes, bounds: Argon2idBounds) throws(KeystoreError) {
    try Names.checkSlot(new.name)
    try bounds.check(new.parameters)
    let secret = new.credential.secret
    guard secret.count > 0 else { throw .emptyPassword }
    name = new.name
    kind = new.credential.kind
    hash = PasswordHash(drawingSaltFor: new.parameters)
    nonce = Randomness.bytes(XChaCha20Poly1305.nonceCount)
    let data = Self.associatedData(id: id, name: name, kind: kind, hash: hash)
    wrappedKey = try Sealing.seal(dataKey, associatedData: data, nonce: nonce, key: try hash.key(for: secret))
  }

  /// Reads a slot; parameters outside `bounds` are refused.
  init(_ value: JSONValue, at pointer: String, bounds: Argon2idBounds) throws(KeystoreError) {
    let fields = try StrictFields(value, at: pointer, names: Self.names)
    name = try fields.text("name")
    guard (try? Names.checkSlot(name)) != nil else { throw .invalidField(pointer: fields.pointer("name")) }
    guard let kind = SlotKind(rawValue: try fields.text("kind")) else {
      throw .invalidField(pointer: fields.pointer("kind"))
    }
    self.kind = kind
    let text = try fields.text("hash")
    do throws(PasswordHash.Fault) {
      hash = try PasswordHash(parsing: text)
    } catch {
      switch error {
      case .malformed: throw KeystoreError.invalidField(pointer: fields.pointer("hash"))
      case .unsupported: throw KeystoreError.unsupportedPasswordHash(pointer: fields.pointer("hash"))
      }
    }
    try bounds.check(hash.parameters)
    nonce = try fields.bytes("nonce", count: XChaCha20Poly1305.nonceCount)
    wrappedKey = try fields.bytes("wrappedKey", count: Self.wrappedCount)
  }

  /// The data key; nil if the secret is not this slot's, or the slot is not as it was made for `id`.
  func dataKey(for secret: SecretBytes, id: UserID) throws(KeystoreError) -> SecretBytes? {
    XChaCha20Poly1305.open(
      wrappedKey, associatedData: Self.associatedData(id: id, name: name, kind: kind, hash: hash), nonce: nonce,
      key: try hash.key(for: secret))
  }

  var value: JSONValue {
    .object([
      "name": .text(name), "kind": .text(kind.rawValue), "hash": .text(hash.text), "nonce": .bytes(nonce),
      "wrappedKey": .bytes(wrappedKey),
    ])
  }

  private static func associatedData(id: UserID, name: String, kind: SlotKind, hash: PasswordHash) -> [UInt8] {
    Sealing.associatedData(
      "slot",
      [
        "version": .integer(KeystoreLimits.version), "id": .text(id.text), "name": .text(name),
        "kind": .text(kind.rawValue), "hash": .text(hash.text),
      ])
  }
}

/// What slots and contents have in common.
enum Sealing {
  /// A line that says what is sealed, then canonical JSON.
  static func associatedData(_ what: String, _ object: JSONObject) -> [UInt8] {
    Array("peerstack keystore \(what)\n".utf8) + CanonicalJSON.bytes(of: .object(object))
  }

  /// The ciphertext. Lengths are right by construction; were they not, nothing would be written.
  static func seal(
    _ plaintext: SecretBytes, associatedData: [UInt8], nonce: [UInt8], key: SecretBytes
  ) throws(KeystoreError) -> [UInt8] {
    do {
      return try XChaCha20Poly1305.seal(plaintext, associatedData: associatedData, nonce: nonce, key: key)
    } catch {
      throw .invalidField(pointer: "/nonce")
    }
  }
}
