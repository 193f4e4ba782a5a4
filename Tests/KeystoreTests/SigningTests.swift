import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct SigningTests {
  private let folder: TestFolder
  private let keystore: OpenKeystore
  private let key: SigningKey

  init() throws {
    key = .generate()
    folder = try TestFolder()
    keystore = try folder.file().makeActive(key: key).keystore
  }

  private var publicKey: JSONString { JSONString(Base64.encode(key.verifyingKey.bytes32)) }

  @Test func objects() throws {
    let signed = try keystore.sign(["type": .text("Message"), "text": .text("hi")], app: chat)
    #expect(signed["signer"]?.string == alice.text)
    #expect(PeerstackSignature.verify(.object(signed), publicKey: publicKey) == .accepted(.detached))
    #expect(throws: SigningError.noKeyInForce(app: forum)) { try keystore.sign([:], app: forum) }
  }

  @Test(arguments: ["PublicKey", "AppPolicy", "Adjudication", "Invitation", "Request"])
  func reservedObjects(type: String) throws {
    let reserved = try #require(ObjectType(rawValue: type))
    #expect(throws: SigningError.reservedType(reserved)) { try keystore.sign(["type": .text(type)], app: chat) }
    // As when it is read from JSON, where the type may come in escapes.
    let text = #"{"x":1,"type":"\u00"# + String(type.utf8.first ?? 0, radix: 16) + type.dropFirst() + #""}"#
    let object = (try? JSONValue.parseLenient(Array(text.utf8)))?.object ?? [:]
    #expect(throws: SigningError.reservedType(reserved)) { try keystore.sign(object, app: chat) }
    #expect(throws: Never.self) { try keystore.sign(["type": .text(type + "s")], app: chat) }
  }

  @Test func texts() throws {
    let signed = try keystore.sign("grüße", app: chat)
    #expect(try SignedMessage.open(JSONString(signed), publicKey: publicKey) == "grüße")
    #expect(throws: SigningError.notUTF8) { try keystore.sign(JSONString(utf16: [0xd800]), app: chat) }
  }

  @Test func textsThatLookLikeHashes() throws {
    let hash = SHA256.hash([1, 2, 3]).hex
    for text in [hash, hash.uppercased(), String(repeating: "0", count: 64), String(repeating: "F", count: 64)] {
      #expect(throws: SigningError.looksLikeHash) { try keystore.sign(JSONString(text), app: chat) }
    }
    for text in [String(hash.dropLast()), hash + "0", hash.dropLast() + "g", " " + hash.dropFirst()] {
      #expect(throws: Never.self) { try keystore.sign(JSONString(text), app: chat) }
    }
  }

  /// What a record signer makes is what peerstack checks: a signature over the hex text.
  @Test func records() throws {
    let signer = try #require(keystore.recordSigner(for: key.verifyingKey))
    let record: JSONObject = ["type": .text("PublicKey"), "signer": .text(alice.text)]
    let hash = try #require(ObjectHash.hash(of: .object(record)))
    let signature = Base64.encode(signer.signature(forHash: hash).bytes)
    #expect(
      PeerstackSignature.verify(.object(record.setting("signature", to: .text(signature))), publicKey: publicKey)
        == .accepted(.detached))
    #expect(keystore.recordSigner(for: SigningKey.generate().verifyingKey) == nil)
    let paper = PaperKey.generate()
    #expect(
      paper.verifyingKey.isValidSignature(paper.recordSigner.signature(forHash: hash), for: Array(hash.hex.utf8)))
  }
}
