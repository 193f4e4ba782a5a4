public import KeyRecords
public import PeerstackFormat

/// What became of a submission.
public enum SubmissionOutcome: Sendable {
  /// It was accepted, and is durable: the JSON text of its entry.
  case created([UInt8])
  /// It had been accepted before: the JSON text of its entry, as the first time.
  case repeated([UInt8])
  /// The rules refuse it; nothing has changed.
  case refused(Refusal)
}

/// What would become of a submission (protocol §8, `dry-run`).
public struct DryRun: Sendable, Hashable {
  /// How it would take effect.
  public enum Effect: String, Sendable, Hashable {
    /// At once.
    case effective
    /// Later, unless something replaces it.
    case pending
    /// It would be a rival claim.
    case contest
    /// It has been accepted before.
    case same
  }

  /// How it would take effect.
  public let effect: Effect
  /// The rank it is authorised at.
  public let rank: Int?
  /// The tier of that rank.
  public let tier: Tier?
  /// When it would take effect.
  public let effective: Milliseconds?
  /// The ranks that could still replace it.
  public let stoppableBy: [Int]?

  /// The JSON value: always all five members.
  public var json: JSONValue {
    [
      "effect": .text(effect.rawValue), "rank": rank.map { .integer(Int64($0)) } ?? .null,
      "tier": tier?.json ?? .null, "effective": effective.map { .integer($0) } ?? .null,
      "stoppableBy": stoppableBy.map { .array($0.map { .integer(Int64($0)) }) } ?? .null,
    ]
  }
}
