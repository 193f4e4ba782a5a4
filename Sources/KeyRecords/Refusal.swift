public import PeerstackFormat

/// Why a registrar or a client refuses something: the stable codes of protocol §5.
public enum RefusalCode: String, Sendable, CaseIterable {
  case malformed
  case tooLarge = "too-large"
  case invalidField = "invalid-field"
  case badSignature = "bad-signature"
  case clockSkew = "clock-skew"
  case idInFuture = "id-in-future"
  case idNotBound = "id-not-bound"
  case boundaryRefused = "boundary-refused"
  case admissionRefused = "admission-refused"
  case notAuthorised = "not-authorised"
  case tierProtected = "tier-protected"
  case unknownUser = "unknown-user"
  case unknownRecord = "unknown-record"
  case idTaken = "id-taken"
  case staleHead = "stale-head"
  case pendingExists = "pending-exists"
  case keyReused = "key-reused"
  case contested
  case retired
  case rateLimited = "rate-limited"
}

/// A refusal: a code for programs, facts for programs and people, a sentence for people.
///
/// It never carries a signature or a whole record.
public struct Refusal: Error, Hashable, Sendable {
  /// The stable code.
  public let code: RefusalCode
  /// One sentence a person can act on, lower case.
  public let detail: String
  /// The facts of the rule, named as in protocol §5.
  public let facts: JSONObject

  init(_ code: RefusalCode, _ detail: String, _ facts: [(JSONString, JSONValue)] = []) {
    self.code = code
    self.detail = detail
    self.facts = JSONObject(facts)
  }

  static func invalidField(_ pointer: String, _ why: String) -> Refusal {
    let place = pointer.isEmpty ? "the value" : pointer
    return Refusal(.invalidField, "\(place) \(why)", [("pointer", .string(JSONString(pointer)))])
  }
}

extension JSONValue {
  static func integer(_ n: some BinaryInteger) -> JSONValue { .number(Double(n)) }
  static func text(_ s: String) -> JSONValue { .string(JSONString(s)) }
  static func time(_ t: Timestamp?) -> JSONValue { t.map { .integer($0) } ?? .null }
  static func hash(_ h: RecordHash) -> JSONValue { .text(h.hex) }
}
