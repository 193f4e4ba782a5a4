import Cryptography
import PeerstackFormat

/// The approvals and the outer signature that records, policies and adjudications share (protocol §3).
struct SignedForm {
  /// Who approves: the keys of the approvals, and the key of the outer signature.
  let approving: Set<VerifyingKey>

  private struct Approval {
    let key: VerifyingKey
    let signature: Signature
  }

  /// Reads approvals and signature; verifies nothing.
  private let approvals: [Approval]
  private let signature: Signature
  private let signer: VerifyingKey

  /// Reads the form.
  ///
  /// - Parameter key: who signs, given the key of the first approval; nil where an approval is required for that.
  init(_ fields: FieldReader, signer key: (VerifyingKey?) -> VerifyingKey?) throws(Refusal) {
    approvals = try Self.approvals(fields)
    signature = try fields.signature()
    guard let signer = key(approvals.first?.key) else { throw fields.fail("approvals") }
    self.signer = signer
    approving = Set(approvals.map(\.key) + [signer])
  }

  private static func approvals(_ fields: FieldReader) throws(Refusal) -> [Approval] {
    let elements = try fields.array("approvals")
    guard elements.count <= Limits.approvals else { throw fields.fail("approvals") }
    var approvals: [Approval] = []
    var previous: String?
    for (index, element) in elements.enumerated() {
      let approval = try FieldReader(
        element, at: "\(fields.pointer("approvals"))/\(index)", areKeysVerified: fields.areKeysVerified)
      try approval.check(required: ["publicKey", "signature"])
      let text = try approval.text("publicKey")
      let key = try approval.verifyingKey("publicKey")
      approvals.append(Approval(key: key, signature: try approval.signature()))
      // Canonical base64 is ASCII, where the order of bytes is the order of characters.
      if let previous, !previous.utf8.lexicographicallyPrecedes(text.utf8) { throw fields.fail("approvals") }
      previous = text
    }
    return approvals
  }

  /// Verifies every signature of the object that this form was read from.
  func verify(_ json: StrictJSON) throws(Refusal) {
    // Most claims have none, and a hash that nobody signed need not be made.
    let approved =
      approvals.isEmpty
      ? Bytes32() : SHA256.hash(CanonicalJSON.bytes(of: json.value, omitting: ["approvals", "signature"]))
    for (index, approval) in approvals.enumerated() {
      guard Self.isValid(approval.signature, by: approval.key, of: approved) else {
        throw Refusal(.badSignature, ["pointer": .text("/approvals/\(index)/signature")])
      }
    }
    guard Self.isValid(signature, by: signer, of: SHA256.hash(json.canonicalWithoutSignature)) else {
      throw Refusal(.badSignature, ["pointer": "/signature"])
    }
  }

  /// Whether a signature is over the 64 characters of a hash (§1.1).
  static func isValid(_ signature: Signature, by key: VerifyingKey, of hash: Bytes32) -> Bool {
    var text: [UInt8] = []
    text.reserveCapacity(RecordHash.textCount)
    Hex.append(hash, to: &text)
    return key.isValidSignature(signature, for: text)
  }
}
