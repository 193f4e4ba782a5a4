import Cryptography
import Foundation
import KeyRecords
import PeerstackFormat
import Testing

struct BoundIDTests {
  private func vectors() throws -> [JSONObject] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appending(path: "Vectors/key-histories/bound-ids.json"))
    let list = try #require(JSONValue.parseLenient([UInt8](data)).object?["vectors"]?.array)
    try #require(!list.isEmpty)
    return try list.map { try #require($0.object) }
  }

  @Test func everyVectorGivesItsID() throws {
    for vector in try vectors() {
      let authority = try #require(Self.authority(of: vector))
      let publicKey = try #require(Self.key(vector["publicKey"]))
      let boxKey = try #require(vector["publicBoxKey"]?.string.flatMap { Base64.decodeCanonical($0) })
      let commitment = BoundID.Commitment(
        created: try #require(vector["created"]?.integer), authority: authority, publicKey: publicKey,
        publicBoxKey: try #require(PublicBoxKey(boxKey)))
      #expect(String(decoding: commitment.canonical, as: UTF8.self) == vector["commitment"]?.string)
      #expect(BoundID.id(for: commitment)?.text == vector["id"]?.string)
    }
  }

  @Test func aTimeBeyondTenDigitsHasNoID() throws {
    let vector = try #require(vectors().first)
    let key = try #require(Self.key(vector["publicKey"]))
    let authority = try #require(Authority(tiers: [.signer]))
    let boxKey = SigningKey.generate().boxKey.publicKey
    let limit: Milliseconds = 3_656_158_440_062_976  // 36¹⁰
    for (created, exists) in [(limit - 1, true), (limit, false)] {
      let commitment = BoundID.Commitment(
        created: created, authority: authority, publicKey: key, publicBoxKey: boxKey)
      #expect((BoundID.id(for: commitment) != nil) == exists)
    }
  }

  private static func key(_ value: JSONValue?) -> VerifyingKey? {
    value?.string.flatMap { Base64.decodeCanonical($0) }.flatMap { VerifyingKey($0) }
  }

  private static func authority(of vector: JSONObject) -> Authority? {
    let tiers = (vector["authority"]?.array ?? []).map { tier -> Tier? in
      guard let fields = tier.object else { return nil }
      switch fields["role"]?.string {
      case "signer": return .signer
      case "registrar": return .registrar(delay: fields["delay"]?.integer ?? -1)
      default:
        return .keys(
          name: fields["name"]?.string ?? "", keys: (fields["keys"]?.array ?? []).compactMap(key),
          threshold: Int(fields["threshold"]?.integer ?? 0), delay: fields["delay"]?.integer ?? -1)
      }
    }
    return Authority(tiers: tiers.compactMap(\.self))
  }
}
