/// What one side says of a user or of an app.
public struct Evidence: Sendable, Hashable {
  /// Who says so: a registrar, `store` or `peer`.
  public let source: String
  /// Entries as JSON texts, oldest first; what could not even be read, as it came.
  public let entries: [[UInt8]]

  /// What a source says.
  public init(source: String, entries: [[UInt8]]) {
    self.source = source
    self.entries = entries
  }
}

/// What was offered contradicts the rules, a pin or another offer (docs/spec/protocol.md §9). Never resolved silently.
public struct Conflict: Error, Sendable, Hashable {
  /// What is contradicted.
  public enum Kind: String, Sendable, Hashable {
    /// The rules refuse an entry, or what it says of its rank, effect or order.
    case rules
    /// Entries are missing that were there before: a rollback or a fork.
    case rollback
    /// Entries or answers from the future, or new entries from before the pin.
    case time
    /// The policy chain breaks the rules, its pin, or the hash the app was given.
    case policy
    /// Two registrars offer different bound first claims.
    case boundClaims
    /// Two registrars know the user, and differ. The first in the trust order decides all the same.
    case disagreement
    /// A `User` object names keys that are none of its own id's history.
    case userKeys
  }

  /// What is contradicted.
  public let kind: Kind
  /// The whole of it as a sentence for people.
  public let reason: String
  /// What was offered, and what it contradicts.
  public let evidence: [Evidence]

  /// A conflict.
  public init(_ kind: Kind, _ reason: String, evidence: [Evidence]) {
    self.kind = kind
    self.reason = reason
    self.evidence = evidence
  }
}

/// A conflict whose evidence is still to be put together.
struct Contradiction: Error {
  let kind: Conflict.Kind
  let reason: String

  init(_ kind: Conflict.Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }
}
