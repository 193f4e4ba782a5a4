import Cryptography
import PeerstackFormat
import Testing

@Suite struct BoxTests {
  @Test func box() throws {
    for vector in try Vectors.list("box", in: "boxes.json") {
      let box = try PeerstackBox(
        sealing: vector.string("text"), from: vector.string("fromUserId"),
        with: PeerstackBox.boxKey(secretKey: vector.string("fromSecretKey")), to: vector.string("toPublicBoxKey"),
        nonce: vector.hexBytes("nonce"))
      #expect(box.object == vector["box"]?.object, "\(vector.id)")
    }
  }

  @Test func openBox() throws {
    for vector in try Vectors.list("openBox", in: "boxes.json") {
      let fields = try #require(vector["box"]?.object)
      let box = PeerstackBox(
        fromUserID: try fields.string("fromUserId"), contents: try fields.string("contents"),
        nonce: try fields.string("nonce"))
      let key = try PeerstackBox.boxKey(secretKey: vector.string("toSecretKey"))
      switch try? box.open(from: vector.string("fromPublicBoxKey"), with: key) {
      case .value(let value):
        #expect(CanonicalJSON.bytes(of: value) == vector["canonical"]?.jsonString?.bytes, "\(vector.id)")
      case .nothing: #expect(vector["nothing"]?.bool == true, "\(vector.id)")
      case nil: #expect(vector["error"] != nil, "\(vector.id)")
      }
    }
  }

  @Test func freshNonces() throws {
    let (ada, bob) = (SigningKey.generate(), SigningKey.generate())
    let recipient = JSONString(Base64.encode(bob.boxKey.publicKey.bytes32))
    let boxes = try (0..<2).map { _ in
      try PeerstackBox(sealing: "\"x\"", from: "ada", with: ada.boxKey, to: recipient)
    }
    #expect(boxes[0].nonce != boxes[1].nonce)
    let sender = JSONString(Base64.encode(ada.boxKey.publicKey.bytes32))
    #expect(try boxes[0].open(from: sender, with: bob.boxKey) == .value("x"))
  }
}
