import Cryptography
import Testing

@Suite struct SecretBytesTests {
  @Test func equalityAndLength() {
    #expect(SecretBytes(copying: [1, 2, 3]) == SecretBytes(copying: [1, 2, 3]))
    #expect(SecretBytes(copying: [1, 2, 3]) != SecretBytes(copying: [1, 2, 4]))
    #expect(SecretBytes(copying: [1, 2, 3]) != SecretBytes(copying: [1, 2]))
    #expect(SecretBytes(copying: []) == SecretBytes(copying: []))
    #expect(SecretBytes.random(count: 32) != SecretBytes.random(count: 32))
  }

  @Test func bytesComeBack() {
    let bytes = (0..<200).map { UInt8($0) }
    let secret = SecretBytes(copying: bytes)
    #expect(secret.count == 200)
    #expect(secret.withBytes { span in span.indices.map { span[$0] } } == bytes)
  }

  @Test func wipingEmptiesTheSource() {
    var bytes: [UInt8] = [1, 2, 3]
    let secret = SecretBytes(wiping: &bytes)
    #expect(bytes.isEmpty)
    #expect(secret == SecretBytes(copying: [1, 2, 3]))
  }

  @Test func nothingLeaksIntoText() throws {
    let seed = [UInt8](repeating: 0xab, count: 32)
    let key = try #require(SigningKey(seed: seed))
    for value in [SecretBytes(copying: seed) as Any, key, key.boxKey, key.signature(for: [1])] {
      var dumped = ""
      dump(value, to: &dumped)
      for text in [String(describing: value), String(reflecting: value), dumped] {
        #expect(!text.contains("171, 171") && !text.lowercased().contains("abab"))
      }
    }
  }

  @Test func randomBytesDiffer() {
    #expect(Randomness.bytes(0) == [])
    #expect(Randomness.bytes(32).count == 32)
    #expect(Randomness.bytes(32) != Randomness.bytes(32))
  }
}
