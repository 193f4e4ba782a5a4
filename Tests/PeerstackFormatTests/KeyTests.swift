import Cryptography
import PeerstackFormat
import Testing

@Suite struct KeyTests {
  @Test func newUser() throws {
    for vector in try Vectors.list("newUser", in: "keys.json") {
      let user = try #require(vector["user"]?.object)
      let seed = try vector.hexBytes("seed")
      let key = try #require(SigningKey(seed: seed))
      #expect(PeerstackKeys.secretKeyText(of: key) == (try user.text("secretKey")), "\(vector.id)")
      let id = try #require(user["id"]?.jsonString)
      let now = try #require(vector["now"]?.integer)
      let made = PeerstackUser(id: id, key: key, name: vector["name"]?.jsonString, modified: now)
      #expect(made.object == user.omitting(["secretKey"]), "\(vector.id)")
    }
  }

  @Test func hydrateUser() throws {
    for vector in try Vectors.list("hydrateUser", in: "keys.json") {
      let id = try vector.string("userId")
      // A secret key that is no string does not get past the type.
      guard let secretKey = vector["secretKey"]?.jsonString else { continue }
      let user = try? PeerstackUser(hydrating: id, secretKey: secretKey, name: vector["name"]?.jsonString)
      #expect(user?.object == vector["result"]?.object, "\(vector.id)")
      #expect((user == nil) == (vector["error"] != nil), "\(vector.id)")
    }
  }

  @Test func encode() throws {
    for vector in try Vectors.list("encode", in: "keys.json") {
      let bytes = try vector.hexBytes("bytes")
      #expect(Base64.encode(bytes) == (try vector.text("base64")), "\(vector.id)")
      #expect(PeerstackEncoding.encodePairs(bytes) == (try vector.text("base36")), "\(vector.id)")
    }
  }

  @Test func decode() throws {
    for vector in try Vectors.list("decode", in: "keys.json") {
      let text = try vector.string("text")
      #expect(hex(PeerstackEncoding.decode(text)) == (try vector["default"]?.object?.text("bytes")), "\(vector.id)")
      #expect(hex(PeerstackEncoding.decodePairs(text)) == (try vector["base36"]?.object?.text("bytes")), "\(vector.id)")
      let isBase64 = PeerstackEncoding.decodeBase64(text) != nil
      #expect(isBase64 == (try vector.text("readAs") == "base64"), "\(vector.id)")
    }
  }

  @Test func keysEqual() throws {
    for vector in try Vectors.list("keysEqual", in: "keys.json") {
      // What is no string at all does not get past the type.
      guard let left = vector["a"]?.jsonString, let right = vector["b"]?.jsonString else {
        #expect(vector["error"] != nil, "\(vector.id)")
        continue
      }
      #expect(PeerstackKeys.areEqual(left, right) == vector["result"]?.bool, "\(vector.id)")
    }
  }

  @Test func signingKeys() throws {
    for vector in try Vectors.list("signingKeys", in: "keys.json") {
      let text = try vector.string("secretKey")
      let message = utf8(try vector.text("message"))
      let key = try? PeerstackKeys.signingKey(text)
      let signature = key.map { Base64.encode($0.signature(for: message).bytes) }
      #expect(signature == vector["result"]?.string, "\(vector.id)")
      #expect((key == nil) == (vector["error"] != nil), "\(vector.id)")
    }
  }

  @Test func checkedReadingRefusesAForeignPublicHalf() throws {
    for vector in try Vectors.list("signingKeys", in: "keys.json")
    where vector["note"]?.string == "public half does not belong to the seed" {
      let bytes = try #require(Base64.decodeCanonical(vector.text("secretKey")))
      #expect(SigningKey(secretKey: SecretBytes(copying: bytes)) == nil)
    }
  }
}
