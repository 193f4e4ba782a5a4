public import KeyRecords
import PeerstackFormat

/// The body of `POST /apps/{app}/records`: a record, policy or adjudication, alone or with an invitation beside it
/// (docs/spec/protocol.md §8).
public struct SubmissionBody: Sendable {
  /// What is submitted, its form and signatures verified.
  public let submission: Submission
  /// The invitation, if there is one: verified, or refused.
  public let invitation: Result<Invitation, Refusal>?

  /// Reads and verifies a body.
  public static func verify(_ body: [UInt8], app: AppID) -> Result<SubmissionBody, Refusal> {
    guard let json = try? StrictJSON(body) else { return .failure(Refusal(.malformed)) }
    let object = json.value.object
    guard let record = object?["record"], object?["type"] == nil else {
      return Submission.verify(json, app: app).map { SubmissionBody(submission: $0, invitation: nil) }
    }
    for name in object?.names ?? [] where name != "record" && name != "invitation" {
      return .failure(.invalidField("/\(name.string ?? "")"))
    }
    let invitation = object?["invitation"].map { Invitation.verify($0) }
    return Submission.verify(record, app: app).map { SubmissionBody(submission: $0, invitation: invitation) }
  }

  /// The body for a record with an invitation; both are JSON texts.
  public static func text(record: [UInt8], invitation: [UInt8]?) -> [UInt8] {
    guard let invitation else { return record }
    return Array("{\"record\":".utf8) + record + Array(",\"invitation\":".utf8) + invitation + Array("}".utf8)
  }
}
