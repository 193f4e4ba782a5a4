public import Cryptography
public import KeyRecords
public import PeerstackFormat

/// An object as it came, and what else is known of it.
public struct UnverifiedObject: Sendable {
  /// The JSON text.
  public let text: [UInt8]
  /// What shows that it is older than a compromise of its key.
  public let evidence: ObjectEvidence

  /// An object to be judged.
  public init(_ text: [UInt8], evidence: ObjectEvidence = ObjectEvidence()) {
    self.text = text
    self.evidence = evidence
  }
}

/// What a client decides of an object, and what that rests on (docs/spec/protocol.md §9).
public struct ObjectJudgment: Sendable {
  /// The verdict.
  public enum Verdict: String, Sendable, Hashable {
    /// The signature verifies under a key that was in force.
    case valid
    /// As valid, but the key may have been in wrong hands, or the user is contested.
    case suspect
    /// No key of the history verifies it, or not one that counts for it, or it is malformed.
    case invalid
    /// The signer is unknown and cannot be looked up now.
    case unresolved
    /// What was offered contradicts the rules or a pin.
    case conflict
  }

  /// The verdict.
  public internal(set) var verdict: Verdict
  /// Why, for people.
  public internal(set) var reason: String
  /// The object's `id`, if that is a string.
  public internal(set) var id: JSONString?
  /// The object's `signer`, if that is a string.
  public internal(set) var signer: JSONString?
  /// The object's hash; nil for what has none.
  public internal(set) var hash: Bytes32?
  /// The key that verifies it.
  public internal(set) var key: VerifyingKey?
  /// Whether the signer's id proves its own first key; nil where that is not known. Where it does not, the first key is
  /// only the registrar's word.
  public internal(set) var isBound: Bool?
  /// Whether the verdict rests on a peer's history, which proves neither when, nor that nothing is missing; or a
  /// registrar that the signer's record names shows more than the one that counts, so that something may be missing.
  public internal(set) var isUnconfirmed = false
  /// How recent what is known of the signer is; nil where nothing is.
  public internal(set) var freshness: Freshness?
  /// The contradiction, where the verdict is one.
  public internal(set) var conflict: Conflict?
  /// Whose keys are waited for, where they may still come.
  public internal(set) var awaited: UserID?

  init(_ verdict: Verdict, _ reason: String) {
    self.verdict = verdict
    self.reason = reason
  }
}
