import Cryptography
import PeerstackFormat
import Testing

@Suite struct CanonicalJSONTests {
  @Test func vectors() throws {
    for vector in try Vectors.list("vectors", in: "canonical-json.json") {
      let value = try JSONValue.parseLenient(try vector.raw("input"))
      let canonical = CanonicalJSON.bytesWithoutSignature(of: value)
      if let expected = vector["canonical"]?.jsonString { #expect(canonical == expected.bytes, "\(vector.id)") }
      #expect(canonical.count == vector["canonicalBytes"]?.integer.map(Int.init), "\(vector.id)")
      if vector["error"] == nil {
        #expect(ObjectHash.hex(of: value) == (try vector.text("sha256")), "\(vector.id)")
      } else {
        #expect(ObjectHash.hash(of: value) == nil)
        #expect(SHA256.hash(canonical).hex == (try vector.text("canonicalSha256")), "\(vector.id)")
      }
    }
  }

  @Test func refused() throws {
    for vector in try Vectors.list("refused", in: "canonical-json.json") {
      #expect(throws: JSONSyntaxError.self, "\(vector.id)") {
        try JSONValue.parseLenient(try vector.raw("input"))
      }
    }
  }

  @Test func numbers() throws {
    for vector in try Vectors.list("vectors", in: "numbers.json") {
      let value = try JSONValue.parseLenient(try vector.raw("input"))
      let bits = try #require(value.number).bitPattern
      #expect(String(bits, radix: 16) == String(try #require(UInt64(vector.text("bits"), radix: 16)), radix: 16))
      let canonical = CanonicalJSON.bytes(of: value)
      #expect(String(decoding: canonical, as: UTF8.self) == (try vector.text("canonical")), "\(vector.id)")
      #expect(SHA256.hash(canonical).hex == (try vector.text("sha256")))
    }
  }
}
