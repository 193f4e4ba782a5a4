import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct PlainIdentityTests {
  private func parse(_ object: JSONObject) throws(PlainIdentity.Failure) -> PlainIdentity {
    try PlainIdentity(parsing: SecretBytes(copying: JSONValue.object(object).text))
  }

  @Test func bothWays() throws {
    let key = SigningKey.generate()
    let folder = try TestFolder()
    let keystore = try folder.file().makeActive(key: key).keystore
    let exported = try #require(keystore.plainIdentity(with: key.verifyingKey)).text
    let object = try #require(JSONValue.parseStrict(Array(text(exported).utf8)).object)
    #expect(object.names == ["id", "secretKey"])
    // peerstack itself can use it.
    let user = try PeerstackUser(
      hydrating: try #require(object["id"]?.jsonString), secretKey: try #require(object["secretKey"]?.jsonString))
    #expect(user.publicKey == Base64.encode(key.verifyingKey.bytes32))
    let imported = try PlainIdentity(parsing: exported)
    #expect(imported.id == alice && imported.key.verifyingKey == key.verifyingKey)
    let session = try folder.file("imported.json").create(id: imported.id, key: imported.key, at: now, slots: [slot()])
    #expect(session.keystore.keys == keystore.keys)
    #expect(keystore.plainIdentity(with: SigningKey.generate().verifyingKey) == nil)
  }

  /// What peerstack's `newUser` makes, and its old spelling of keys.
  @Test func spellings() throws {
    let key = SigningKey.generate()
    let whole = PeerstackUser(id: JSONString(alice.text), key: key, modified: now).object
    let base64 = PeerstackKeys.secretKeyText(of: key)
    let pairs = key.withSecretKey64 { $0.withUnsafeBufferPointer { PeerstackEncoding.encodePairs(Array($0)) } }
    for text in [base64, pairs] {
      let read = try parse(whole.setting("secretKey", to: .text(text)))
      #expect(read.id == alice && read.key.verifyingKey == key.verifyingKey)
    }
  }

  @Test func refusals() throws {
    let key = SigningKey.generate()
    let good: JSONObject = ["id": .text(alice.text), "secretKey": .text(PeerstackKeys.secretKeyText(of: key))]
    #expect(throws: Never.self) { try parse(good) }
    for id in [.null, .text("alice"), .text(alice.text + ":x")] as [JSONValue] {
      #expect(throws: PlainIdentity.Failure.invalidID) { try self.parse(good.setting("id", to: id)) }
    }
    let seed = key.withSeed { Base64.encode($0) }
    let halves = key.withSeed { seed in
      seed.withUnsafeBufferPointer { Base64.encode(Array($0) + SigningKey.generate().verifyingKey.bytes) }
    }
    for secretKey in [.null, .text(""), .text(seed), .text(halves), .integer(1)] as [JSONValue] {
      #expect(throws: PlainIdentity.Failure.invalidSecretKey) {
        try self.parse(good.setting("secretKey", to: secretKey))
      }
    }
    let other = Base64.encode(SigningKey.generate().verifyingKey.bytes32)
    for publicKey in [.null, .text(""), .text(other)] as [JSONValue] {
      #expect(throws: PlainIdentity.Failure.otherPublicKey) {
        try self.parse(good.setting("publicKey", to: publicKey))
      }
    }
    for text in ["", "[]", "null", "{"] {
      #expect(throws: PlainIdentity.Failure.malformed) { try PlainIdentity(parsing: secret(text)) }
    }
    let large = SecretBytes(copying: [UInt8](repeating: 32, count: PlainIdentity.maxBytes + 1))
    #expect(throws: PlainIdentity.Failure.tooLarge(count: 65_537)) { try PlainIdentity(parsing: large) }
  }
}
