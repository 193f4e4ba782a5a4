public import KeyRecords
public import PeerstackFormat

/// What a registrar answers to a dry run that it would accept (protocol §8).
public struct DryRunAnswer: Sendable, Hashable {
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
  /// The rank it is authorised at; nil for claims, policies and adjudications.
  public let rank: Int?
  /// The tier of that rank.
  public let tier: Tier?
  /// When it would take effect, or did.
  public let effective: Milliseconds?
  /// The ranks that could still replace it; nil unless it is pending.
  public let stoppableBy: [Int]?

  /// An answer of these five.
  public init(effect: Effect, rank: Int?, tier: Tier?, effective: Milliseconds?, stoppableBy: [Int]?) {
    self.effect = effect
    self.rank = rank
    self.tier = tier
    self.effective = effective
    self.stoppableBy = stoppableBy
  }

  /// What the rules say of a submission that they accept.
  public init(_ acceptance: Acceptance) {
    let effect: Effect =
      switch acceptance.effect {
      case .effective: .effective
      case .pending: .pending
      case .contest: .contest
      }
    self.init(
      effect: effect, rank: acceptance.rank, tier: acceptance.tier, effective: acceptance.effective,
      stoppableBy: acceptance.stoppableBy)
  }

  /// Reads the five fields; nil for anything else.
  public init?(_ fields: JSONObject) {
    guard let effect = fields["effect"]?.string.flatMap(Effect.init(rawValue:)), let rank = fields["rank"],
      let tier = fields["tier"], let effective = fields["effective"], let ranks = fields["stoppableBy"]
    else { return nil }
    self.effect = effect
    self.rank = rank.integer.map { Int(clamping: $0) }
    self.tier = tier.isNull ? nil : Self.tier(tier)
    self.effective = effective.integer
    stoppableBy = ranks.array?.compactMap { $0.integer.map { Int(clamping: $0) } }
  }

  /// The JSON value: always all five members.
  public var json: JSONValue {
    [
      "effect": .text(effect.rawValue), "rank": rank.map { .integer(Int64($0)) } ?? .null,
      "tier": tier?.json ?? .null, "effective": effective.map { .integer($0) } ?? .null,
      "stoppableBy": stoppableBy.map { .array($0.map { .integer(Int64($0)) }) } ?? .null,
    ]
  }

  /// Every tier is one of an authority with a signer.
  private static func tier(_ value: JSONValue) -> Tier? {
    let signer: JSONValue = ["role": "signer"]
    switch value.object?["role"]?.string {
    case "signer": return .signer
    case "registrar": return try? Authority.read([signer, value]).get().tiers.last
    default: return try? Authority.read([value, signer]).get().tiers.first
    }
  }
}
