import Cryptography
import Testing

@Suite struct SigningTests {
  /// RFC 8032 §7.1, tests 1 to 3.
  @Test(arguments: [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24"
        + "655141438e7a100b"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
        + "b00d291612bb0c00"
    ),
    (
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
        + "c027beceea1ec40a"
    ),
  ])
  func rfc8032(seed: String, publicKey: String, message: String, signature: String) throws {
    let key = try #require(Hex.decode(seed).flatMap { SigningKey(seed: $0) })
    let message = try #require(Hex.decode(message))
    #expect(key.verifyingKey.bytes32.hex == publicKey)
    let made = key.signature(for: message)
    #expect(Hex.encode(made.bytes) == signature)
    #expect(key.verifyingKey.isValidSignature(made, for: message))
    #expect(!key.verifyingKey.isValidSignature(made, for: message + [0]))
    #expect(key.verifyingKey.open(signedMessage: made.bytes + message) == message)
    #expect(key.verifyingKey.isValidPoint)
  }

  @Test func longFormMustFitTogether() throws {
    let key = SigningKey.generate()
    var bytes = key.withSecretKey64 { span in span.indices.map { span[$0] } }
    let seed = key.withSeed { span in span.indices.map { span[$0] } }
    #expect(Array(bytes[..<32]) == seed && Array(bytes[32...]) == key.verifyingKey.bytes)
    #expect(SigningKey(secretKey: SecretBytes(copying: bytes))?.verifyingKey == key.verifyingKey)
    bytes[63] ^= 1
    #expect(SigningKey(secretKey: SecretBytes(copying: bytes)) == nil)
  }

  @Test(arguments: [0, 1, 31, 33, 63, 65])
  func wrongLengths(count: Int) {
    let bytes = [UInt8](repeating: 1, count: count)
    #expect(Bytes32(bytes) == nil && Bytes32(bytes[...]) == nil && Bytes32(bytes.lazy.map { $0 }) == nil)
    #expect(VerifyingKey(bytes) == nil && PublicBoxKey(bytes) == nil && Signature(bytes) == nil)
    #expect(SigningKey(seed: bytes) == nil && SigningKey(secretKey: SecretBytes(copying: bytes)) == nil)
    #expect(SigningKey(uncheckedSecretKey: SecretBytes(copying: bytes)) == nil)
    #expect(BoxKey(secret: SecretBytes(copying: bytes)) == nil)
    #expect(SigningKey.generate().verifyingKey.open(signedMessage: bytes) == nil)
  }

  @Test func keysThatAreNoPoints() throws {
    // The identity, a point of order 8, p itself, and a y that is on no point.
    let texts = [
      "01" + String(repeating: "00", count: 31), "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "ed" + String(repeating: "ff", count: 30) + "7f", "02" + String(repeating: "00", count: 31),
    ]
    for text in texts {
      let key = try #require(Hex.decode(text).flatMap { VerifyingKey($0) })
      #expect(!key.isValidPoint, "\(text)")
    }
  }

  @Test func digests() {
    #expect(
      SHA256.hash([]).hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      SHA256Digest(of: Array("abc".utf8)).hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(SHA256.hash(SHA256.hash([])) == SHA256.hash(SHA256.hash([]).bytes))
    #expect(
      SHA256.hash([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)).hex
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// Every way in which a message can end within its last block. The digest of all digests is Python's, whose SHA-256 is
  /// no code of OpenSSL.
  @Test func digestsOfEveryLength() {
    let message = (0..<300).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
    let digests = (0...message.count).flatMap { SHA256.hash(Array(message[..<$0])).bytes }
    #expect(SHA256.hash(digests).hex == "7d917fbd2cf49ddff9ad0a8706bba32d204e92e71d2e369c5a03d6af29278c9f")
  }

  @Test func bytesAreOrderedAsStrings() throws {
    let zero = Bytes32()
    for position in 0..<32 {
      var bytes = [UInt8](repeating: 0, count: 32)
      bytes[position] = 1
      let one = try #require(Bytes32(bytes))
      #expect(zero < one && !(one < zero) && one.bytes == bytes)
      bytes[position] = 0x80
      let high = try #require(Bytes32(bytes))
      #expect(one < high && one != high)
      if position < 31 {
        bytes[position] = 1
        bytes[31] = 0xff
        #expect(one < (try #require(Bytes32(bytes))))
      }
    }
    #expect(Bytes32(padding: [7].span).bytes == [7] + [UInt8](repeating: 0, count: 31))
  }

  @Test func hex() throws {
    #expect(Hex.decode("00ff1a") == [0, 255, 26])
    #expect(Hex.encode([0, 255, 26]) == "00ff1a")
    for start in stride(from: 0 as UInt8, through: 224, by: 32) {
      let bytes = (start...(start + 31)).map(\.self)
      var characters = Array("0".utf8)
      Hex.append(try #require(Bytes32(bytes)), to: &characters)
      #expect(String(decoding: characters, as: UTF8.self) == "0" + Hex.encode(bytes))
      #expect(Hex.decode(Array(characters.dropFirst())) == bytes)
    }
    for text in ["0", "0G", "FF", "0x", " 00"] { #expect(Hex.decode(text) == nil) }
  }
}
