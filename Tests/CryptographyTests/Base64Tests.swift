import Cryptography
import Testing

@Suite struct Base64Tests {
  @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
  func rfc4648(plain: String, encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decodeCanonical(encoded) == Array(plain.utf8))
  }

  @Test func everyLength() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: 251 &* ($0 + count)) }
      #expect(Base64.decodeCanonical(Base64.encode(bytes)) == bytes)
    }
  }

  @Test(arguments: [
    "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "=", "Zm9v\n", "Zm 9v", "Zm-v", "Zm9vZg==Zm9v", "Z=9v",
  ])
  func notCanonical(text: String) {
    #expect(Base64.decodeCanonical(text) == nil)
  }
}
