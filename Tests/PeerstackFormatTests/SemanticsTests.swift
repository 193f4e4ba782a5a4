import Cryptography
import PeerstackFormat
import Testing

/// `semantics.json` is about peerstack's database, which is not ours. What it shows about signatures alone, the
/// scenarios of nothing but stored objects and `verifySigner`, must come out the same.
@Suite struct SemanticsTests {
  /// Scenarios whose key is of small order: tweetnacl accepts what libsodium does not.
  private static let weakKeyScenarios: Set = ["scenario-010"]

  /// The library's database, as far as `verifySigner` looks at it.
  private struct Store {
    private var objects: [JSONString: JSONObject] = [:]

    mutating func put(_ object: JSONObject) {
      if let id = object["id"]?.jsonString { objects[id] = object }
    }

    func verifies(_ object: JSONObject) -> Bool {
      let signer = object["signer"]?.jsonString
      let isItsOwnSigner = object["signer"] == object["id"]
      guard let signerObject = signer.flatMap({ objects[$0] }) ?? (isItsOwnSigner ? object : nil),
        let key = signerObject["publicKey"]?.jsonString
      else { return false }
      return PeerstackSignature.verify(.object(object), publicKey: key).isAccepted
    }
  }

  @Test func signaturesOfStoredSigners() throws {
    var steps = 0
    for scenario in try Vectors.list("scenarios", in: "semantics.json") {
      let operations = try #require(scenario["steps"]?.array).map { try #require($0.object) }
      guard operations.allSatisfy({ ["put", "verifySigner"].contains($0["op"]?.string) }) else { continue }
      var store = Store()
      for (place, step) in operations.enumerated() {
        let input = step["input"]?.jsonString.flatMap { try? JSONValue.parseLenient($0.bytes) } ?? step["input"]
        let object = try #require(input?.object, "\(scenario.id) step \(place)")
        guard step["op"] == "verifySigner" else {
          store.put(object)
          continue
        }
        let isExpected = step["outcome"] == "ok" && !Self.weakKeyScenarios.contains(scenario.id)
        #expect(store.verifies(object) == isExpected, "\(scenario.id) step \(place)")
        steps += 1
      }
    }
    #expect(steps > 20)
  }

  /// The vectors are unmodified copies.
  @Test func manifest() throws {
    let files = try #require(Vectors.file("manifest.json")["files"]?.object)
    for (name, file) in files.members {
      let name = try #require(name.string)
      let file = try #require(file.object)
      let bytes = try Vectors.bytes(name)
      #expect(bytes.count == file["bytes"]?.integer.map(Int.init), "\(name)")
      #expect(SHA256.hash(bytes).hex == file["sha256"]?.string, "\(name)")
    }
    #expect(files.count >= 10)
  }
}
