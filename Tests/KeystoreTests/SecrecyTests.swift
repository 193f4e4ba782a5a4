import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct SecrecyTests {
  /// Spellings in which a secret could slip into a file or a text.
  private func spellings(of secret: [UInt8]) -> [[UInt8]] {
    let base64 = Base64.encode(secret).filter { $0 != "=" }
    let hex = Hex.encode(secret)
    // Inside a longer text, base64 is cut at other places.
    let shifted = [1, 2].map { count in
      String(Base64.encode([UInt8](repeating: 0, count: count) + secret).dropFirst(4).dropLast(4))
    }
    let texts =
      [
        hex, hex.uppercased(), String(base64.dropLast()), PeerstackEncoding.encodePairs(secret),
        base64.dropLast().map { $0 == "+" ? "-" : $0 == "/" ? "_" : String($0) }.joined(),
      ] + shifted
    return [secret, secret.reversed()] + texts.map { Array($0.utf8) }
  }

  private func bytes(_ secret: SecretBytes) -> [UInt8] {
    secret.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
  }

  @Test func nothingSecretIsInTheFile() throws {
    for _ in 0..<20 {
      let folder = try TestFolder()
      let key = SigningKey.generate()
      let code = RecoveryCode.generate()
      let password = SecretBytes.random(count: 24)
      let slots = [slot(.password(password), "password"), slot(.recoveryCode(code), "paper")]
      let session = try folder.file().makeActive(key: key, slots: slots)
      _ = try session.begin(.rotate, in: chat, key: .generated, at: now)
      let keystore = session.keystore
      var secrets = [bytes(password), bytes(code.secret), bytes(keystore.dataKey)]
      for held in keystore.keys {
        let key = try #require(keystore.contents.signingKey(for: held.publicKey))
        secrets.append(key.withSeed { $0.withUnsafeBufferPointer { Array($0) } })
      }
      for slot in keystore.header.slots {
        secrets.append(bytes(try slot.hash.key(for: slot.kind == .password ? password : code.secret)))
      }
      let file = try folder.read()
      #expect(file.firstRange(of: Array(alice.text.utf8)) != nil)
      for spelling in secrets.flatMap(spellings) { #expect(file.firstRange(of: spelling) == nil) }
      #expect(file.firstRange(of: bytes(code.text)) == nil)
    }
  }

  /// Two versions with the same contents share no sealed byte: nonces are new, and salts with every slot.
  @Test func noncesAreNew() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    func part(_ name: String) throws -> String {
      try #require(JSONValue.parseLenient(try folder.read()).object?[name]?.string)
    }
    let nonce = try part("nonce")
    let sealed = try part("sealed")
    let hash = session.keystore.header.slots[0].hash
    try session.addApp(chat, registrars: [])
    #expect(try part("nonce") != nonce && part("sealed").prefix(16) != sealed.prefix(16))
    try session.replaceSlot(slot())
    #expect(session.keystore.header.slots[0].hash.salt != hash.salt)
  }

  @Test func descriptionsShowNothing() throws {
    let key = SigningKey.generate()
    let folder = try TestFolder()
    let session = try folder.file().makeActive(key: key)
    let code = RecoveryCode.generate()
    let identity = PlainIdentity(id: alice, key: key)
    let paper = PaperKey.generate()
    let values: [Any] = [
      session, session.keystore, code, paper, identity, password, Credential.recoveryCode(code), slot(),
      session.keystore.contents,
    ]
    let seed = key.withSeed { $0.withUnsafeBufferPointer { Array($0) } }
    let secrets = [seed, bytes(session.keystore.dataKey), bytes(code.secret), Array("correct horse".utf8)]
    for value in values {
      var dumped = ""
      dump(value, to: &dumped)
      for text in ["\(value)", String(reflecting: value), dumped] {
        for secret in secrets {
          let list = secret.map { String($0) }.joined(separator: ", ")
          #expect(!text.contains(list))
          for spelling in spellings(of: secret) { #expect(Array(text.utf8).firstRange(of: spelling) == nil) }
        }
      }
      #expect(!(value is any Encodable))
    }
  }
}
