/// Every limit of the key record format and its rules, in one place (protocol §1–§7).
public enum Limits {
  /// Largest canonical JSON of a key record, policy or adjudication, in bytes (§3, §7).
  public static let recordBytes = 8_192
  /// Largest canonical JSON of an authority, in bytes (§4).
  public static let authorityBytes = 4_096
  /// Deepest nesting of a registrar object; the top level is 1 (§1.2).
  public static let nesting = 16
  /// Most tiers of an authority (§4).
  public static let tiers = 8
  /// Most keys of a tier, or of an app's admins (§4, §7).
  public static let tierKeys = 16
  /// Most Unicode scalars of a tier's name (§4).
  public static let tierNameLength = 32
  /// Longest delay of a tier, in milliseconds: 30 days (§4).
  public static let tierDelay: Timestamp = 30 * day
  /// Shortest delay of the registrar tier, in milliseconds: 24 hours (§4).
  public static let registrarDelay: Timestamp = day
  /// Most approvals of a record (§3).
  public static let approvals = 16
  /// Longest `sourceUrl`, in bytes (§3).
  public static let sourceURLBytes = 512
  /// Most Unicode scalars of a nonce (§7, §8).
  public static let nonceLength = 64
  /// How far `modified` may be from the registrar's clock either way, in milliseconds: 5 minutes (§5.2).
  public static let clockSkew: Timestamp = 5 * minute
  /// How far ahead an id's creation time may be, in milliseconds: 60 seconds (§5.3).
  public static let idAhead: Timestamp = minute
  /// Longest contest window, in milliseconds: 30 days (§7).
  public static let contestWindow: Timestamp = 30 * day
  /// After how many milliseconds an undecided contest ends: 30 days (§6).
  public static let contestLapse: Timestamp = 30 * day
  /// How long past its end a key still vouches by `modified`, in milliseconds: 24 hours (§9).
  public static let endedKeyGrace: Timestamp = day
  /// Accepted records per hour at the signer's rank and below (§5.12).
  public static let recordsPerHour = 10
  /// Accepted records per week at the signer's rank and below (§5.12).
  public static let recordsPerWeek = 20
  /// Accepted records per week at ranks above the signer's (§5.12).
  public static let recordsPerWeekAboveSigner = 100
  /// Hash evaluations that bind an id to its first keys (§2.3).
  public static let boundIDRounds = 1_024
  /// Largest integer of a registrar object: 2^53 − 1 (§1.2).
  public static let largestInteger: Int64 = 9_007_199_254_740_991

  static let minute: Timestamp = 60_000
  static let hour: Timestamp = 60 * minute
  static let day: Timestamp = 24 * hour
  static let week: Timestamp = 7 * day
}

/// Milliseconds since 1970-01-01T00:00:00Z (protocol, introduction).
public typealias Timestamp = Int64
