import Cryptography
import HTTPFormat
import KeyRecords
import Registry
import WebTransport

/// What is posted for one entry. It is the same at every attempt and from every instance.
struct WebhookDelivery: Sendable {
  /// The name of the field with the delivery's id, which is in the body too.
  static let idField: StaticString = "peerstack-delivery"
  /// The name of the field with the registrar's public key, in base64.
  static let keyField: StaticString = "peerstack-key"
  /// The name of the field with the signature, in base64: over the 64 hex digits of the body's SHA-256, as every
  /// signature of the protocol (§1.1).
  static let signatureField: StaticString = "peerstack-signature"
  /// Bytes of an answer that are read; nothing is done with them.
  static let answerBytes = 65_536

  /// `<app>:<index>:<record hash>`. With the hash, since indexes may be used again after a restore from a backup.
  let id: String
  /// Canonical JSON, with a type, so that a signature stands for a delivery and for nothing else.
  let body: [UInt8]

  init(_ entry: StoredEntry, of app: AppID) {
    id = "\(app):\(entry.index):\(entry.hash)"
    let effective = entry.effective.map(String.init) ?? "null"
    let rank = entry.rank.map(String.init) ?? "null"
    var body = Array("{\"app\":\"\(app)\",\"delivery\":\"\(id)\",\"entry\":{\"accepted\":\(entry.accepted),".utf8)
    body += "\"effective\":\(effective),\"index\":\(entry.index),\"rank\":\(rank),\"record\":".utf8
    body += entry.record
    body += "},\"type\":\"Delivery\"}".utf8
    self.body = body
  }

  func request(to url: WebURL, signedBy key: SigningKey) -> WebClientRequest {
    var fields = HTTPFields()
    fields.add("content-type", "application/json")
    fields.add("user-agent", "peerstack-registrar")
    fields.add(Self.idField, id)
    fields.add(Self.keyField, Base64.encode(key.verifyingKey.bytes32))
    fields.add(Self.signatureField, Base64.encode(key.signature(forHash: SHA256.hash(body)).bytes))
    // Receivers know what they have taken already, so that a kept connection that had ended costs no pause.
    var request = WebClientRequest(
      .post, url.origin, target: url.target, fields: fields, body: body, isRepeatable: true)
    request.answerBytes = Self.answerBytes
    return request
  }
}
