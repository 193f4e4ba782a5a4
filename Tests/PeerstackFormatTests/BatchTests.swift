import Cryptography
import PeerstackFormat
import Testing

@Suite struct BatchTests {
  /// Only LF ends a line: U+2028 and its kin occur inside.
  static func lines(_ path: String) throws -> [ArraySlice<UInt8>] {
    try Vectors.bytes(path).split(separator: UInt8(ascii: "\n"))
  }

  private struct Users {
    let keys: [ShortText: VerifyingKey]

    init() throws {
      var keys: [ShortText: VerifyingKey] = [:]
      for (id, user) in try Vectors.file("sync/users.json").members {
        let id = try #require(ShortText(id))
        keys[id] = try PeerstackKeys.verifyingKey(try #require(user.object).string("publicKey"))
      }
      self.keys = keys
    }

    /// The key `verifySigner` takes: that of the stored user or, of an object whose id is its signer, its own.
    func key(for reader: SignedObjectReader) -> VerifyingKey? {
      if let key = reader.shortSigner.flatMap({ keys[$0] }) { return key }
      guard let signer = reader.signer, signer == reader.id, let text = reader.publicKey else { return nil }
      return try? PeerstackKeys.verifyingKey(text)
    }
  }

  @Test func everyLineHasTheExpectedHashAndVerdict() throws {
    let users = try Users()
    var reader = SignedObjectReader()
    let lines = try Self.lines("sync/batch.jsonl")
    let expected = try Self.lines("sync/expected.jsonl")
    try #require(lines.count == 2000 && expected.count == lines.count)
    for (line, expectation) in zip(lines, expected) {
      let expectation = try #require(JSONValue.parseLenient(Array(expectation)).object)
      let note = "line \(expectation["line"]?.integer ?? 0) \(try expectation.text("category"))"
      try reader.read(Array(line))
      #expect(reader.hash?.hex == expectation["hash"]?.string, "\(note)")
      #expect(reader.id == expectation["id"]?.jsonString, "\(note)")
      let verdict = users.key(for: reader).map { reader.verify(with: $0) } ?? .unreadable
      #expect((verdict.isAccepted ? "accept" : "reject") == (try expectation.text("libsodium")), "\(note)")
      try checkSlowPath(Array(line), reader)
    }
  }

  /// The tape and the tree must agree in everything.
  private func checkSlowPath(_ line: [UInt8], _ reader: SignedObjectReader) throws {
    let value = try JSONValue.parseLenient(line)
    #expect(CanonicalJSON.bytesWithoutSignature(of: value) == reader.canonicalText)
    #expect(value.object?["signer"]?.jsonString == reader.signer)
    #expect(value.object?["signature"]?.jsonString == reader.signature)
    #expect(value.object?["type"]?.jsonString == reader.type)
    #expect(value.object?["modified"]?.number == reader.modified)
  }

  @Test func usersVerifyWithTheirOwnKeys() throws {
    let weakUser = try Vectors.file("sync/info.json").string("weakUser")
    for (id, user) in try Vectors.file("sync/users.json").members {
      let key = try #require(user.object).string("publicKey")
      let verdict = PeerstackSignature.verify(user, publicKey: key)
      #expect(verdict == (id == weakUser ? .rejected : .accepted(.detached)))
    }
  }

  @Test func canonicalVectorsThroughTheTape() throws {
    var reader = SignedObjectReader()
    for vector in try Vectors.list("vectors", in: "canonical-json.json") {
      try reader.read(vector.raw("input"))
      #expect(reader.hash?.hex == vector["sha256"]?.string, "\(vector.id)")
      if let canonical = vector["canonical"]?.jsonString, vector["error"] == nil {
        #expect(reader.canonicalText == canonical.bytes, "\(vector.id)")
      }
    }
    for vector in try Vectors.list("vectors", in: "numbers.json") {
      try reader.read(vector.raw("input"))
      #expect(reader.canonicalText == (try vector.raw("canonical")), "\(vector.id)")
    }
  }

  @Test func afterAnErrorNothingIsKnown() throws {
    var reader = SignedObjectReader()
    try reader.read(utf8(#"{"id":"a","signer":"b","signature":"c","modified":1}"#))
    #expect(reader.signer == "b" && reader.modified == 1 && reader.hash != nil)
    #expect(throws: JSONSyntaxError.self) { try reader.read(utf8(#"{"id":"#)) }
    #expect(reader.signer == nil && reader.modified == nil && reader.hash == nil && !reader.isObject)
    #expect(reader.verify(with: SigningKey.generate().verifyingKey) == .unreadable)
  }

  @Test func laterDuplicatesReplaceEarlierOnes() throws {
    var reader = SignedObjectReader()
    try reader.read(
      utf8(#"{"signer":"a","modified":1,"s\u0069gner":"b","modified":"x","id":1,"id":"i","type":"t","type":2}"#))
    #expect(reader.signer == "b" && reader.modified == nil && reader.id == "i" && reader.type == nil)
  }
}
