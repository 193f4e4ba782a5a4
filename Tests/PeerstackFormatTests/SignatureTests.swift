import Cryptography
import PeerstackFormat
import Testing

@Suite struct SignatureTests {
  @Test func sign() throws {
    for vector in try Vectors.list("sign", in: "signatures.json") {
      let value = try JSONValue.parseLenient(vector.raw("object"))
      guard let key = try? PeerstackKeys.signingKey(vector.string("secretKey")) else {
        #expect(vector["error"] != nil, "\(vector.id)")
        continue
      }
      guard let object = value.object else {
        try checkThatIsNoObject(value, key, vector)
        continue
      }
      let signed = PeerstackSignature.sign(object, as: try vector.string("userId"), with: key)
      #expect(signed["signer"] == vector["signer"], "\(vector.id)")
      #expect(signed["signature"] == vector["signature"], "\(vector.id)")
      #expect(ObjectHash.hex(of: .object(signed)) == (try vector.text("hash")), "\(vector.id)")
      let canonical = CanonicalJSON.bytesWithoutSignature(of: .object(signed))
      #expect(canonical == (try vector.raw("canonical")), "\(vector.id)")
      #expect(JSONValue.object(signed).text == (try vector.raw("signed")), "\(vector.id)")
    }
  }

  /// An array takes no signer into its text; what is neither cannot be signed, which the type of `sign` says.
  private func checkThatIsNoObject(_ value: JSONValue, _ key: SigningKey, _ vector: JSONObject) throws {
    guard value.array != nil else {
      #expect(vector["error"] != nil, "\(vector.id)")
      return
    }
    let hash = try #require(ObjectHash.hash(of: value))
    #expect(hash.hex == (try vector.text("hash")))
    #expect(PeerstackSignature.signatureText(for: hash, with: key) == (try vector.text("signature")), "\(vector.id)")
  }

  @Test func verify() throws {
    for vector in try Vectors.list("verify", in: "signatures.json") {
      let object = try JSONValue.parseLenient(try vector.raw("object"))
      #expect(ObjectHash.hex(of: object) == (try vector.text("hash")), "\(vector.id)")
      let expected = try vector.text("libsodium")
      // A key that is no string at all does not get past the type.
      guard let publicKey = vector["publicKey"]?.jsonString else {
        #expect(expected == "not-reached")
        continue
      }
      switch PeerstackSignature.verify(object, publicKey: publicKey) {
      case .accepted(let form):
        #expect(expected == "accept", "\(vector.id)")
        #expect(form.rawValue == vector["form"]?.string, "\(vector.id)")
      case .rejected: #expect(expected == "reject", "\(vector.id)")
      case .unreadable: #expect(expected == "not-reached", "\(vector.id)")
      }
    }
  }

  /// Where tweetnacl and libsodium differ, ours is libsodium's verdict, of the installed version.
  @Test func edgeCases() throws {
    var differences = 0
    for vector in try Vectors.list("vectors", in: "ed25519-edge.json") {
      let message = try vector.hexBytes("message")
      let signature = try #require(Signature(vector.hexBytes("signature")))
      let key = try #require(VerifyingKey(vector.hexBytes("publicKey")))
      let verdict = key.isValidSignature(signature, for: message)
      #expect(verdict == vector["libsodium"]?.bool, "\(vector.id)")
      #expect(verdict == vector["libsodium_system"]?.bool, "\(vector.id)")
      #expect((key.open(signedMessage: signature.bytes + message) != nil) == verdict, "\(vector.id)")
      if verdict != vector["tweetnacl"]?.bool { differences += 1 }
    }
    #expect(differences > 0)
  }
}
