import Cryptography
import HTTPFormat
import KeyRecords
import PeerstackFormat
import Testing

@testable import RegistryServer

@Suite("Members' requests") struct AccessTests {
  private let key = SigningKey.generate()

  private func token(nonce: String = "n") -> String {
    let request = Draft([
      "type": "Request", "app": "chat.example", "signer": "00mmkyz9poxfflry75hh17erc", "method": "GET", "target": "/x",
      "modified": 1, "nonce": .text(nonce),
    ])
    return Base64.encode(request.signedWithoutApprovals(by: key))
  }

  private func head(query: String = "", fields: [String] = []) throws -> RequestHead {
    try ReadingTests.head("GET /x\(query) HTTP/1.1", fields: fields)
  }

  @Test("the field, its scheme in any case")
  func field() throws {
    for scheme in ["Peerstack", "peerstack", "PEERSTACK"] {
      let head = try head(fields: ["Authorization: \(scheme) \(token())"])
      #expect(AccessToken.request(in: head, allowsParameter: false)?.target == "/x")
    }
  }

  @Test("the parameter, where it counts")
  func parameter() throws {
    let escaped = PercentCoding.encode(token())
    let head = try head(query: "?authorization=\(escaped)")
    #expect(AccessToken.request(in: head, allowsParameter: true) != nil)
    #expect(AccessToken.request(in: head, allowsParameter: false) == nil)
    #expect(AccessToken.request(in: try self.head(query: "?authorization=\(token())"), allowsParameter: true) != nil)
    let whole = try self.head(query: "?authorization=Peerstack%20\(escaped)")
    #expect(AccessToken.request(in: whole, allowsParameter: true) != nil)
    let twice = try self.head(query: "?authorization=\(escaped)&authorization=\(escaped)")
    #expect(AccessToken.request(in: twice, allowsParameter: true) == nil)
  }

  @Test("none, several or broken ones")
  func broken() throws {
    let good = "Authorization: Peerstack \(token())"
    for fields in [
      [], [good, good], ["Authorization: Bearer \(token())"], ["Authorization: Peerstack"],
      ["Authorization: Peerstack e30="],
      ["Authorization: Peerstack \(token().dropLast())"], ["Authorization: \(token())"],
    ] {
      #expect(AccessToken.request(in: try head(fields: fields), allowsParameter: true) == nil)
    }
  }

  @Test(
    "what is signed is the target without the parameter",
    arguments: [
      ("", "/x"), ("?authorization=a", "/x"), ("?after=1&authorization=a", "/x?after=1"),
      ("?authorization=a&after=%31", "/x?after=%31"), ("?Authorization=a", "/x?Authorization=a"), ("?", "/x?"),
    ])
  func target(query: String, target: String) throws {
    #expect(AccessToken.target(of: try head(query: query)) == target)
  }
}
