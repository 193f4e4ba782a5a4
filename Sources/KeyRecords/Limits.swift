/// A time, or a span of time, in milliseconds. Times count from 1970 (UTC).
public typealias Milliseconds = Int64

/// Every limit of the protocol that concerns records and what is judged about them (docs/spec/protocol.md).
public enum Limits {
  /// Bytes of canonical JSON of a record, policy, adjudication or invitation (§3, §7).
  public static let recordBytes = 8_192
  /// Bytes of canonical JSON of an authority (§4).
  public static let authorityBytes = 4_096
  /// Nested containers of a registrar object; the top level is 1 (§1.2).
  public static let depth = 16
  /// Tiers of an authority (§4).
  public static let tiers = 1...8
  /// Keys of a tier, and of the admins (§4, §7).
  public static let tierKeys = 1...16
  /// Characters of a tier's name (§4).
  public static let tierName = 1...32
  /// Delay of a tier of keys: up to 30 days (§4).
  public static let tierDelay: ClosedRange<Milliseconds> = 0...30 * day
  /// Delay of the registrar tier: 24 hours to 30 days (§4).
  public static let registrarDelay: ClosedRange<Milliseconds> = day...30 * day
  /// Approvals of a record (§3).
  public static let approvals = 16
  /// Bytes of a `sourceUrl` (§3).
  public static let sourceURLBytes = 512
  /// Characters of an app id (§2.1).
  public static let appID = 1...63
  /// Unicode scalar values of a nonce (§7, §8).
  public static let nonce = 1...64
  /// The window in which rival claims are let in: up to 30 days (§7).
  public static let contestWindow: ClosedRange<Milliseconds> = 0...30 * day
  /// How long a contest lasts without an adjudication, from its first rival (§6).
  public static let contestDuration: Milliseconds = 30 * day
  /// How far `modified` may be from the registrar's clock (§5.2).
  public static let clockSkew: Milliseconds = 5 * minute
  /// How far ahead the time of creation in an id may be (§5.3).
  public static let idAhead: Milliseconds = 60_000
  /// How long after the end of a key objects may still be dated (§9).
  public static let endGrace: Milliseconds = day
  /// Records per hour at the signer's rank and below (§5.12).
  public static let recordsPerHour = 10
  /// Records per week at the signer's rank and below (§5.12).
  public static let recordsPerWeek = 20
  /// Records per week at ranks above the signer (§5.12).
  public static let recordsPerWeekAboveSigner = 100

  static let minute: Milliseconds = 60_000
  static let hour: Milliseconds = 60 * minute
  static let day: Milliseconds = 24 * hour
  static let week: Milliseconds = 7 * day
}
