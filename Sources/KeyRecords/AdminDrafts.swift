import Cryptography
import PeerstackFormat

extension Adjudication {
  /// An adjudication, to be approved by the admins and signed by the first of its approvals (protocol §6).
  public static func draft(winner: RecordHash, of subject: UserID, app: AppID, now: Milliseconds) -> Draft {
    Draft([
      "type": .text(ObjectType.adjudication.rawValue), "id": .text("\(subject):a\(winner.hex.prefix(idCount))"),
      "app": .text(app.text), "subject": .text(subject.text), "winner": .text(winner.hex), "modified": .integer(now),
    ])
  }
}

extension Invitation {
  /// The canonical JSON of an invitation that an admin signs (protocol §7).
  ///
  /// - Parameters:
  ///   - subject: the one who may use it; nil: whoever has it.
  ///   - nonce: 1…64 characters that no other invitation of the app has.
  public static func text(
    app: AppID, subject: UserID?, nonce: String, expires: Milliseconds, by admin: some RecordSigner
  ) -> [UInt8] {
    var members: [(JSONString, JSONValue)] = [
      ("type", .text(ObjectType.invitation.rawValue)), ("app", .text(app.text)), ("nonce", .text(nonce)),
      ("expires", .integer(expires)), ("publicKey", .text(Base64.encode(admin.verifyingKey.bytes32))),
    ]
    if let subject { members.append(("subject", .text(subject.text))) }
    return Draft(JSONObject(members)).signedWithoutApprovals(by: admin)
  }
}
