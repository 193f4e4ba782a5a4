import Cryptography
import PeerstackFormat
import Testing

@Suite struct MessageTests {
  @Test func sign() throws {
    for vector in try Vectors.list("sign", in: "messages.json") {
      let key = try PeerstackKeys.signingKey(try vector.string("secretKey"))
      let units = vector["messageUtf16"]?.array?.compactMap { $0.integer.map(UInt16.init) }
      let message = try #require(vector["message"]?.jsonString ?? units.map { JSONString(utf16: $0) })
      #expect((try? SignedMessage.sign(message, with: key)) == vector["signed"]?.string, "\(vector.id)")
    }
  }

  @Test func open() throws {
    for vector in try Vectors.list("open", in: "messages.json") {
      let signed = try vector.string("signed")
      let key = try vector.string("publicKey")
      let message = try? SignedMessage.open(signed, publicKey: key)
      #expect(message.map { utf8($0) } == vector["message"]?.jsonString?.bytes, "\(vector.id)")
    }
  }
}
