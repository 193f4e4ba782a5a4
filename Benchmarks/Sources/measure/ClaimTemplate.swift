import CSodium
import Cryptography
import Foundation
import KeyRecords
import RegistryTestKit

/// Claims of new users, each with keys and a signature of its own, made from the text of one: a secret key in guarded
/// memory, as `SigningKey` keeps it, costs four times what the signature does.
struct ClaimTemplate {
  struct Claim {
    let id: [UInt8]
    let key: [UInt8]
    let text: [UInt8]
  }

  private enum Piece {
    case literal([UInt8])
    case id, key, boxKey, paper, signature
  }

  private static let paperKeys = 100
  private let signed: [Piece]
  private let unsigned: [Piece]
  private let papers: [[UInt8]]

  init(app: AppID, at time: Milliseconds) throws {
    let id = String(decoding: Self.newID(at: time), as: UTF8.self)
    guard let user = TestUser(unbound: id, app: app) else { throw Trouble("no user") }
    let text = String(decoding: user.claim(at: time), as: UTF8.self)
    guard let start = text.range(of: "\"signature\":\""),
      let end = text.range(of: "\",", range: start.upperBound..<text.endIndex)
    else { throw Trouble("a claim has no signature") }
    let marks: [(String, Piece)] = [
      (id, .id), (Base64.encode(user.key.verifyingKey.bytes), .key),
      (Base64.encode(user.key.boxKey.publicKey.bytes), .boxKey), (Base64.encode(user.paper.verifyingKey.bytes), .paper),
      (String(text[start.upperBound..<end.lowerBound]), .signature),
    ]
    signed = Self.pieces(of: text, marks)
    unsigned = Self.pieces(of: text.replacingCharacters(in: start.lowerBound..<end.upperBound, with: ""), marks)
    papers = (0..<Self.paperKeys).map { _ in Array(Base64.encode(SigningKey.generate().verifyingKey.bytes).utf8) }
  }

  /// The claim of a new user. The id is not bound: that would cost a thousand hashes, and look-ups do not ask.
  func claim(at time: Milliseconds) -> Claim {
    let (id, seed) = (Self.newID(at: time), Randomness.bytes(32))
    var (key, secret, boxKey) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: 64), seed)
    crypto_sign_seed_keypair(&key, &secret, seed)
    _ = crypto_scalarmult_base(&boxKey, seed)
    let texts = Texts(
      id: id, key: Array(Base64.encode(key).utf8), boxKey: Array(Base64.encode(boxKey).utf8),
      paper: papers[Int(seed[0]) % papers.count])
    let hash = Array(SHA256.hash(texts.filled(unsigned, signature: [])).hex.utf8)
    var signature = [UInt8](repeating: 0, count: 64)
    crypto_sign_detached(&signature, nil, hash, UInt64(hash.count), secret)
    return Claim(id: id, key: key, text: texts.filled(signed, signature: Array(Base64.encode(signature).utf8)))
  }

  private struct Texts {
    let id, key, boxKey, paper: [UInt8]

    func filled(_ pieces: [Piece], signature: [UInt8]) -> [UInt8] {
      var text: [UInt8] = []
      for piece in pieces {
        switch piece {
        case .literal(let bytes): text += bytes
        case .id: text += id
        case .key: text += key
        case .boxKey: text += boxKey
        case .paper: text += paper
        case .signature: text += signature
        }
      }
      return text
    }
  }

  /// What a text has between its marks, and the marks.
  private static func pieces(of text: String, _ marks: [(String, Piece)]) -> [Piece] {
    var pieces: [Piece] = []
    var rest = text[...]
    while let (range, piece) = marks.compactMap({ mark in rest.range(of: mark.0).map { ($0, mark.1) } })
      .min(by: { $0.0.lowerBound < $1.0.lowerBound })
    {
      pieces += [.literal(Array(rest[..<range.lowerBound].utf8)), piece]
      rest = rest[range.upperBound...]
    }
    return pieces + [.literal(Array(rest.utf8))]
  }

  /// Ten digits of the time of creation, fifteen at random.
  private static func newID(at created: Milliseconds) -> [UInt8] {
    let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
    let time = Array(String(created, radix: 36).utf8)
    return [UInt8](repeating: digits[0], count: 10 - time.count) + time
      + Randomness.bytes(15).map { digits[Int($0) % digits.count] }
  }
}
