public import Cryptography
import PeerstackFormat

/// A policy or adjudication on its way from admin to admin: a draft, the approvals so far, and the outer signature once
/// it can be made.
///
/// The outer signature is over the approvals too, and by the key of the first of them (protocol §3): of those who
/// approve, the one whose key comes first in the order of approvals signs last, or once more.
public struct ApprovalSheet: Sendable, Hashable {
  /// What is approved.
  public let draft: Draft
  /// The app.
  public let app: AppID
  /// The approvals so far, in their order.
  public private(set) var approvals: [Approval] = []
  private var signature: JSONValue?

  /// A sheet that nobody has approved yet; nil unless the draft names an app.
  public init?(_ draft: Draft) {
    guard let app = draft.unsigned["app"]?.string.flatMap({ AppID($0) }) else { return nil }
    self.draft = draft
    self.app = app
  }

  /// Reads a sheet, and verifies the approvals in it. The draft is looked at when somebody approves.
  public static func read(_ text: [UInt8]) -> Result<ApprovalSheet, Refusal> {
    guard text.count <= 2 * Limits.recordBytes, let value = try? JSONValue.parseStrict(text) else {
      return .failure(Refusal(.malformed))
    }
    return Result { () throws(Refusal) in try ApprovalSheet(reading: FieldReader(value)) }
  }

  private init(reading fields: FieldReader) throws(Refusal) {
    draft = Draft(fields.object)
    app = try fields.appID()
    guard fields.has("approvals") else { return }
    for (index, element) in try fields.array("approvals").enumerated() {
      let approval = try FieldReader(element, at: "/approvals/\(index)")
      let (key, signature) = (try approval.verifyingKey("publicKey"), try approval.signature())
      guard SignedForm.isValid(signature, by: key, of: draft.approvalHash) else {
        throw Refusal(.badSignature, ["pointer": .text("/approvals/\(index)/signature")])
      }
      approvals.append(Approval(publicKey: key, signature: signature))
    }
    signature = fields.object["signature"]
  }

  /// Adds the approvals of these signers, and the outer signature if the first of all approvals is by one of them.
  ///
  /// - Throws: what is wrong with the draft: nothing is signed that no registrar would read.
  public mutating func approve(by signers: [any RecordSigner]) throws(Refusal) {
    guard let some = signers.first, let trial = draft.signed(approvedBy: [some]) else { return }
    switch try Submission.verify(trial, app: app).get() {
    case .policy, .adjudication: break
    case .record: throw .invalidField("/type")
    }
    var byText = Dictionary(approvals.map { ($0.text, $0) }) { first, _ in first }
    for signer in signers {
      let approval = draft.approval(by: signer)
      byText[approval.text] = approval
    }
    approvals = byText.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(\.value)
    let finisher = signers.first { $0.verifyingKey == approvals.first?.publicKey }
    signature = finisher.flatMap { signer in
      (try? JSONValue.parseStrict(draft.signed(approvals: approvals, by: signer)))?.object?["signature"]
    }
  }

  /// Whose signature it lacks around the approvals; nil if it has it, or nobody has approved yet.
  public var missingFinisher: VerifyingKey? { signature == nil ? approvals.first?.publicKey : nil }

  /// The canonical JSON: ready to be posted once it has approvals and lacks no finisher.
  public var text: [UInt8] {
    let object = draft.unsigned.setting("approvals", to: .array(approvals.map(\.json)))
    return CanonicalJSON.bytes(of: .object(signature.map { object.setting("signature", to: $0) } ?? object))
  }
}
