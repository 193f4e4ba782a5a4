public import Cryptography
public import PeerstackFormat

/// One tier of an authority: who may act, and how soon it takes effect (protocol §4).
public enum Tier: Hashable, Sendable {
  /// Keys, of which some number must approve.
  case keys(name: String, keys: [VerifyingKey], threshold: Int, delay: Milliseconds)
  /// The key in force.
  case signer
  /// The app's admins at the threshold of their policy.
  case registrar(delay: Milliseconds)

  /// How long a record of this tier is pending.
  public var delay: Milliseconds {
    switch self {
    case .keys(_, _, _, let delay), .registrar(let delay): delay
    case .signer: 0
    }
  }

  /// The tier as JSON.
  public var json: JSONValue {
    switch self {
    case .keys(let name, let keys, let threshold, let delay):
      [
        "name": .text(name), "keys": .array(keys.map { .text(Base64.encode($0.bytes32)) }),
        "threshold": .integer(Int64(threshold)), "delay": .integer(delay),
      ]
    case .signer: ["role": "signer"]
    case .registrar(let delay): ["role": "registrar", "delay": .integer(delay)]
    }
  }
}

/// Ranked tiers; rank 0 is the highest (protocol §4).
public struct Authority: Hashable, Sendable {
  /// 1…8 tiers in order of precedence.
  public let tiers: [Tier]
  /// The rank of the one signer tier.
  public let signerRank: Int

  /// Nil unless there are 1…8 tiers, exactly one of them the signer's, and the registrar's, if any, comes last. Keys,
  /// thresholds and delays are the reader's to check.
  public init?(tiers: [Tier]) {
    guard Limits.tiers.contains(tiers.count), let signerRank = tiers.firstIndex(of: .signer),
      tiers.lastIndex(of: .signer) == signerRank
    else { return nil }
    for tier in tiers.dropLast() { if case .registrar = tier { return nil } }
    self.tiers = tiers
    self.signerRank = signerRank
  }

  /// The authority as JSON.
  public var json: JSONValue { .array(tiers.map(\.json)) }

  /// Reads an authority that stands alone, as strictly as in a record.
  public static func read(_ value: JSONValue) -> Result<Authority, Refusal> {
    Result { () throws(Refusal) in try FieldReader(["authority": value]).authority() }
  }
}

/// The keys of an app's admins, of which some number must approve (protocol §7).
public struct Admins: Hashable, Sendable {
  /// 1…16 distinct keys.
  public let keys: [VerifyingKey]
  /// 1…n.
  public let threshold: Int

  /// Nil unless there are 1…16 distinct keys and the threshold is 1…n.
  public init?(keys: [VerifyingKey], threshold: Int) {
    guard Limits.tierKeys.contains(keys.count), Set(keys).count == keys.count, (1...keys.count).contains(threshold)
    else { return nil }
    self.keys = keys
    self.threshold = threshold
  }

  /// How many approvals are missing.
  public func missing(from approving: Set<VerifyingKey>) -> Int {
    max(0, threshold - keys.count(where: approving.contains))
  }

  /// The admins as JSON.
  public var json: JSONValue {
    [
      "keys": .array(keys.map { .text(Base64.encode($0.bytes32)) }), "threshold": .integer(Int64(threshold)),
    ]
  }
}
