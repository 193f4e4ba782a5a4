public import KeyRecords
public import PeerstackFormat

/// An answer that is an error: RFC 9457 `application/problem+json` (docs/spec/protocol.md, "Codes and statuses").
public struct Problem: Error, Sendable, Hashable {
  /// The media type of ``body``.
  public static let mediaType = "application/problem+json"

  /// The stable code.
  public let code: ProblemCode
  /// One sentence a person can act on.
  public let detail: String
  /// The facts of the rule.
  public let facts: JSONObject

  /// A problem; the sentence is the code's own unless another is given.
  public init(_ code: ProblemCode, detail: String? = nil, facts: JSONObject = [:]) {
    self.code = code
    self.detail = detail ?? code.detail
    self.facts = facts
  }

  /// The problem of a refusal.
  public init(_ refusal: Refusal) {
    self.init(refusal.code, facts: refusal.facts)
  }

  /// A query value that cannot be.
  public static func invalidParameter(_ name: String) -> Problem {
    Problem(
      .invalidField, detail: "the query parameter \(name) is missing, given twice or has no such value",
      facts: ["parameter": .text(name)])
  }

  /// Seconds to wait before the next try: of 429 the rule's, of 503 a guess.
  public var retryAfterSeconds: Int64? {
    if let seconds = facts["retryAfter"]?.integer { return seconds }
    return code == .unavailable ? Self.unavailableRetrySeconds : nil
  }

  private static let unavailableRetrySeconds: Int64 = 2

  /// The JSON text.
  public var body: [UInt8] {
    var members: [(JSONString, JSONValue)] = [
      ("type", .text("urn:peerstack-registrar:problem:\(code.rawValue)")), ("title", .text(code.title)),
      ("status", .integer(Int64(code.status))), ("detail", .text(detail)), ("code", .text(code.rawValue)),
    ]
    let names = Set(members.map(\.0))
    members += facts.members.filter { !names.contains($0.0) }
    if let seconds = retryAfterSeconds, facts["retryAfter"] == nil { members.append(("retryAfter", .integer(seconds))) }
    return JSONValue.object(JSONObject(members)).text
  }
}

extension ProblemCode {
  /// The HTTP status.
  public var status: Int {
    switch self {
    case .malformed: 400
    case .invalidField, .badSignature, .clockSkew, .idInFuture, .idNotBound, .boundaryRefused: 422
    case .admissionRefused, .notAuthorised, .tierProtected: 403
    case .notFound, .unknownApp, .unknownUser, .unknownRecord: 404
    case .methodNotAllowed: 405
    case .idTaken, .staleHead, .pendingExists, .keyReused, .contested, .locked: 409
    case .retired, .keyVoid: 410
    case .lengthRequired: 411
    case .tooLarge: 413
    case .unsupportedMediaType: 415
    case .rateLimited: 429
    case .headersTooLarge: 431
    case .unavailable: 503
    }
  }

  /// The code in words.
  public var title: String {
    let words = rawValue.split(separator: "-").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// A sentence a person can act on, where the facts need no further words.
  public var detail: String {
    switch self {
    case .malformed: "the request is not one JSON value of plain integers, unique names and valid UTF-8: mend the text"
    case .invalidField: "a field is missing, unknown or has a value it may not have: see pointer"
    case .badSignature: "a signature does not verify for this object and key: sign the object as it is sent"
    case .clockSkew:
      "modified is more than 5 minutes off the registrar's clock, or not later than the head's: set the clock, sign again"
    case .idInFuture: "the id says it was made in the future: set the clock and make a new id"
    case .idNotBound: "this app wants ids that are bound to their first key: make a new id with the tools"
    case .boundaryRefused:
      "compromised may be stated only by a tier above the signer, not in the future, not before that tier was put there"
    case .admissionRefused: "this app wants an invitation, and none that is good came with the claim: ask an admin"
    case .notAuthorised: "the approvals meet no tier that may do this: see rank and missing"
    case .tierProtected: "a record must restate every tier above the one that authorises it: take them from the head"
    case .notFound: "there is nothing at this path: see /openapi.json"
    case .unknownApp: "this registrar does not serve this app: check its id, or create it with registrar app create"
    case .unknownUser: "nobody has claimed this id in this app: check it, or send a claim first"
    case .unknownRecord: "there is no such record or position of this user"
    case .methodNotAllowed: "the path does not know this method: see Allow"
    case .idTaken: "somebody has claimed this id before: make a new one, or recover it if it is yours"
    case .staleHead: "the record does not build on the head: fetch the history and sign again"
    case .pendingExists: "a record of a higher tier is pending: wait, or approve at its rank or above"
    case .keyReused: "this key was used before: make a new one"
    case .contested: "rival claims of this id are open: the app's admins decide, or the first stands after 30 days"
    case .locked: "the key was revoked and there is no successor yet: recover the id"
    case .retired: "the id has ended for good"
    case .keyVoid: "the key of this record was brought in by somebody else than the owner: do not use it"
    case .lengthRequired: "send the body with Content-Length and without Transfer-Encoding"
    case .tooLarge: "the body or the record is larger than allowed: see limit"
    case .unsupportedMediaType: "send application/json in UTF-8 without Content-Encoding"
    case .rateLimited: "too many: try again after retryAfter seconds"
    case .headersTooLarge: "the request line or the headers are too long"
    case .unavailable: "the registrar cannot answer now: try again soon"
    }
  }
}
