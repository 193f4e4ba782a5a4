import Cryptography
import Testing

@Suite struct PasswordTests {
  private static let cheap = Argon2idParameters(memoryKiB: 256, passes: 2, lanes: 1)

  /// From the reference implementation's own test program (argon2id, version 1.3).
  @Test(arguments: [
    (1 as UInt32, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
    (2, "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"),
  ])
  func argon2id(lanes: UInt32, expected: String) throws {
    let key = try Argon2id.hash(
      password: SecretBytes(copying: Array("password".utf8)), salt: Array("somesalt".utf8),
      parameters: Argon2idParameters(memoryKiB: 256, passes: 2, lanes: lanes))
    #expect(key == SecretBytes(copying: try #require(Hex.decode(expected))))
  }

  @Test(arguments: [
    Argon2idParameters(memoryKiB: Argon2id.maximumMemoryKiB + 1, passes: 1, lanes: 1),
    Argon2idParameters(memoryKiB: .max, passes: .max, lanes: .max),
    Argon2idParameters(memoryKiB: 7, passes: 1, lanes: 1), Argon2idParameters(memoryKiB: 15, passes: 1, lanes: 2),
    Argon2idParameters(memoryKiB: 256, passes: 0, lanes: 1), Argon2idParameters(memoryKiB: 256, passes: 1, lanes: 0),
    Argon2idParameters(memoryKiB: 256, passes: Argon2id.maximumPasses + 1, lanes: 1),
    Argon2idParameters(memoryKiB: 256, passes: 1, lanes: Argon2id.maximumLanes + 1),
  ])
  func absurdParameters(parameters: Argon2idParameters) {
    #expect(throws: Argon2id.Failure.parametersOutOfRange(parameters)) {
      try Argon2id.hash(
        password: SecretBytes(copying: [1]), salt: [UInt8](repeating: 0, count: 16), parameters: parameters)
    }
  }

  @Test func wrongLengths() {
    let password = SecretBytes(copying: [])
    let salt = [UInt8](repeating: 0, count: 16)
    #expect(throws: Never.self) { try Argon2id.hash(password: password, salt: salt, parameters: Self.cheap) }
    #expect(throws: Argon2id.Failure.saltLength(7)) {
      try Argon2id.hash(password: password, salt: Array(salt[..<7]), parameters: Self.cheap)
    }
    #expect(throws: Argon2id.Failure.outputLength(0)) {
      try Argon2id.hash(password: password, salt: salt, parameters: Self.cheap, outputCount: 0)
    }
    #expect(throws: Argon2id.Failure.passwordTooLong(count: 4_097)) {
      try Argon2id.hash(
        password: SecretBytes(copying: [UInt8](repeating: 1, count: 4_097)), salt: salt, parameters: Self.cheap)
    }
  }

  /// draft-irtf-cfrg-xchacha-03, A.3.1.
  @Test func xChaCha20Poly1305() throws {
    let plaintext = Array(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
        .utf8)
    let key = SecretBytes(copying: Array(0x80...0x9f))
    let associatedData = try #require(Hex.decode("50515253c0c1c2c3c4c5c6c7"))
    let nonce = [UInt8](0x40...0x57)
    let expected =
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216"
      + "cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13"
      + "b52ec0875924c1c7987947deafd8780acf49"
    var sealed = try XChaCha20Poly1305.seal(
      SecretBytes(copying: plaintext), associatedData: associatedData, nonce: nonce, key: key)
    #expect(Hex.encode(sealed) == expected)
    func open(_ sealed: [UInt8], _ data: [UInt8], _ nonce: [UInt8], _ key: SecretBytes) -> SecretBytes? {
      XChaCha20Poly1305.open(sealed, associatedData: data, nonce: nonce, key: key)
    }
    #expect(open(sealed, associatedData, nonce, key) == SecretBytes(copying: plaintext))
    #expect(open(sealed, [], nonce, key) == nil)
    #expect(open(sealed, associatedData, Array(nonce.dropLast()), key) == nil)
    #expect(open(sealed, associatedData, nonce, SecretBytes(copying: [1])) == nil)
    #expect(open(Array(sealed[..<15]), associatedData, nonce, key) == nil)
    sealed[0] ^= 1
    #expect(open(sealed, associatedData, nonce, key) == nil)
  }

  @Test func emptyPlaintext() throws {
    let key = SecretBytes.random(count: 32)
    let nonce = Randomness.bytes(24)
    let sealed = try XChaCha20Poly1305.seal(SecretBytes(copying: []), associatedData: [], nonce: nonce, key: key)
    #expect(sealed.count == XChaCha20Poly1305.overheadCount)
    #expect(XChaCha20Poly1305.open(sealed, associatedData: [], nonce: nonce, key: key)?.count == 0)
    #expect(throws: XChaCha20Poly1305.ParameterError.keyLength(31)) {
      try XChaCha20Poly1305.seal(
        SecretBytes(copying: []), associatedData: [], nonce: nonce, key: SecretBytes.random(count: 31))
    }
    #expect(throws: XChaCha20Poly1305.ParameterError.nonceLength(12)) {
      try XChaCha20Poly1305.seal(
        SecretBytes(copying: []), associatedData: [], nonce: Array(nonce[..<12]), key: key)
    }
  }
}
