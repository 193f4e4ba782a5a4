/// Every code of the protocol (docs/spec/protocol.md, "Codes and statuses"). Stable: clients decide by them.
public enum ProblemCode: String, Sendable, Hashable, CaseIterable {
  /// Not one JSON value of the strict kind, or a request that is no HTTP.
  case malformed
  /// A field is missing, unknown or wrong; `pointer` or `parameter` names it.
  case invalidField = "invalid-field"
  /// A signature or approval does not verify; `pointer` names it.
  case badSignature = "bad-signature"
  /// `modified` is too far from the registrar's clock, or not later than the head's.
  case clockSkew = "clock-skew"
  /// The id says it was made in the future.
  case idInFuture = "id-in-future"
  /// The policy wants ids of this age to be bound, and this one is not.
  case idNotBound = "id-not-bound"
  /// A boundary was stated by who may not state it, or outside what may be stated.
  case boundaryRefused = "boundary-refused"
  /// The app wants an invitation, and there is no good one.
  case admissionRefused = "admission-refused"
  /// No tier's demand is met, or not that of one that may do this.
  case notAuthorised = "not-authorised"
  /// A tier above the authorising one was changed.
  case tierProtected = "tier-protected"
  /// There is nothing at this path.
  case notFound = "not-found"
  /// The registrar does not serve this app.
  case unknownApp = "unknown-app"
  /// There is no history of this user.
  case unknownUser = "unknown-user"
  /// There is no such record.
  case unknownRecord = "unknown-record"
  /// The path does not know this method.
  case methodNotAllowed = "method-not-allowed"
  /// Somebody claimed the id before.
  case idTaken = "id-taken"
  /// The record does not build on the head.
  case staleHead = "stale-head"
  /// A record of a smaller rank is pending.
  case pendingExists = "pending-exists"
  /// The key was used before.
  case keyReused = "key-reused"
  /// Rival claims are open.
  case contested
  /// The key was revoked and there is no successor yet.
  case locked
  /// The id has ended for good.
  case retired
  /// The key was brought in by somebody else than the owner.
  case keyVoid = "key-void"
  /// A body without a declared length.
  case lengthRequired = "length-required"
  /// The body, or the record, is too large.
  case tooLarge = "too-large"
  /// The body is not plain JSON.
  case unsupportedMediaType = "unsupported-media-type"
  /// Too many records at this rank, or from this address.
  case rateLimited = "rate-limited"
  /// The head of the request is too large.
  case headersTooLarge = "headers-too-large"
  /// The registrar cannot answer now.
  case unavailable
}
