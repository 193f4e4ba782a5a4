import Cryptography
import Testing

@Suite struct BoxKeyTests {
  private static let p = [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f]
  private static let nonce = [UInt8](repeating: 7, count: 24)

  /// RFC 7748 §6.1: Alice and Bob.
  @Test(arguments: [
    (
      "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    ),
    (
      "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
      "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    ),
  ])
  func rfc7748(secret: String, publicKey: String) throws {
    let secret = try #require(Hex.decode(secret))
    let key = try #require(BoxKey(secret: SecretBytes(copying: secret)))
    #expect(key.publicKey.bytes32.hex == publicKey)
  }

  @Test func roundTrip() throws {
    let (ada, bob, eve) = (BoxKey.generate(), BoxKey.generate(), BoxKey.generate())
    for count in [0, 1, 16, 1_000] {
      let plaintext = [UInt8](repeating: 0x5a, count: count)
      var box = try #require(ada.seal(plaintext, nonce: Self.nonce, for: bob.publicKey))
      #expect(box.count == count + BoxKey.overheadCount)
      #expect(bob.open(box, nonce: Self.nonce, from: ada.publicKey) == plaintext)
      #expect(eve.open(box, nonce: Self.nonce, from: ada.publicKey) == nil)
      box[box.count / 2] ^= 1
      #expect(bob.open(box, nonce: Self.nonce, from: ada.publicKey) == nil)
    }
  }

  @Test(arguments: [0, 23, 25])
  func wrongNonces(count: Int) {
    let key = BoxKey.generate()
    let nonce = [UInt8](repeating: 0, count: count)
    #expect(key.seal([1], nonce: nonce, for: key.publicKey) == nil)
    #expect(key.open([UInt8](repeating: 0, count: 32), nonce: nonce, from: key.publicKey) == nil)
    #expect(key.open([UInt8](repeating: 0, count: min(count, 15)), nonce: Self.nonce, from: key.publicKey) == nil)
  }

  /// libsodium refuses every one of the keys our list holds, and their other spellings.
  @Test func keysOfSmallOrder() throws {
    var pMinusOne = Self.p
    pMinusOne[0] -= 1
    var pPlusOne = Self.p
    pPlusOne[0] += 1
    let keys = [
      [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31), Self.p, pMinusOne, pPlusOne,
      try #require(Hex.decode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")),
      try #require(Hex.decode("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")),
    ]
    for bytes in keys {
      let key = try #require(PublicBoxKey(bytes))
      #expect(!key.isCanonicalAndNotSmallOrder)
      #expect(BoxKey.generate().seal([1], nonce: Self.nonce, for: key) == nil)
    }
  }

  @Test func canonicalKeys() throws {
    for _ in 0..<50 {
      var bytes = BoxKey.generate().publicKey.bytes
      #expect(PublicBoxKey(bytes)?.isCanonicalAndNotSmallOrder == true)
      bytes[31] |= 0x80
      #expect(PublicBoxKey(bytes)?.isCanonicalAndNotSmallOrder == false)
    }
    // p − 2 is the largest that is left; u = 2 the smallest.
    var pMinusTwo = Self.p
    pMinusTwo[0] -= 2
    #expect(PublicBoxKey(pMinusTwo)?.isCanonicalAndNotSmallOrder == true)
    #expect(PublicBoxKey([2] + [UInt8](repeating: 0, count: 31))?.isCanonicalAndNotSmallOrder == true)
    #expect(PublicBoxKey([UInt8](repeating: 0xff, count: 32))?.isCanonicalAndNotSmallOrder == false)
  }

  @Test func theSecretIsTheSeed() throws {
    let key = SigningKey.generate()
    let seed = key.withSeed { SecretBytes(copying: $0) }
    #expect(BoxKey(secret: seed)?.publicKey == key.boxKey.publicKey)
  }
}
