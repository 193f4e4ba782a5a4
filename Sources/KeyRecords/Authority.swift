public import Cryptography
public import PeerstackFormat

/// One tier of an authority: who may act, and how long others have to object (protocol §4).
public enum Tier: Hashable, Sendable {
  /// Any `threshold` of `keys`; `delay` in milliseconds, 0 to 30 days.
  case keys(name: String, keys: [VerifyingKey], threshold: Int, delay: Timestamp)
  /// The key in force.
  case signer
  /// The app's admins at their policy threshold; `delay` in milliseconds, 24 hours to 30 days.
  case registrar(delay: Timestamp)

  /// How long a record authorised at this tier stays pending, in milliseconds.
  public var delay: Timestamp {
    switch self {
    case .keys(_, _, _, let delay), .registrar(let delay): delay
    case .signer: 0
    }
  }

  /// What the tier is called in messages: its name, `signer` or `registrar`.
  public var label: String {
    switch self {
    case .keys(let name, _, _, _): name
    case .signer: "signer"
    case .registrar: "registrar"
    }
  }

  /// The tier as it stands in a record.
  public var json: JSONValue {
    switch self {
    case .signer: .object(["role": "signer"])
    case .registrar(let delay): .object(["role": "registrar", "delay": .integer(delay)])
    case .keys(let name, let keys, let threshold, let delay):
      .object([
        "name": .text(name), "keys": .array(keys.map { .text($0.base64) }), "threshold": .integer(threshold),
        "delay": .integer(delay),
      ])
    }
  }
}

/// Who may act for a user, in order of precedence: 1 to 8 tiers, the index is the rank, 0 the highest (protocol §4).
public struct Authority: Hashable, Sendable {
  /// The tiers, highest first.
  public let tiers: [Tier]
  /// The rank of the one signer tier.
  public let signerRank: Int

  /// Nil unless there are 1 to 8 tiers, exactly one of them `signer`, and a `registrar` tier only at the end.
  ///
  /// The numbers inside the tiers are checked when an authority is read from a record.
  public init?(_ tiers: [Tier]) {
    let signers = tiers.indices.filter { tiers[$0] == .signer }
    let registrars = tiers.indices.filter { if case .registrar = tiers[$0] { true } else { false } }
    guard (1...Limits.tiers).contains(tiers.count), signers.count == 1, let signer = signers.first,
      registrars.allSatisfy({ $0 == tiers.count - 1 })
    else { return nil }
    self.tiers = tiers
    self.signerRank = signer
  }

  /// The authority as it stands in a record.
  public var json: JSONValue { .array(tiers.map(\.json)) }

  /// The tiers above the signer's.
  public var tiersAboveSigner: ArraySlice<Tier> { tiers[..<signerRank] }
}

extension Authority {
  /// Reads `authority` of a record; failures point to the tier or its field.
  init(reading value: JSONValue, at pointer: String) throws(Refusal) {
    guard let items = value.array, (1...Limits.tiers).contains(items.count) else {
      throw .invalidField(pointer, "must be an array of 1 to \(Limits.tiers) tiers")
    }
    guard CanonicalJSON.bytes(of: value).count <= Limits.authorityBytes else {
      throw .invalidField(pointer, "must have at most \(Limits.authorityBytes) bytes of canonical JSON")
    }
    var tiers: [Tier] = []
    for (rank, item) in items.enumerated() {
      let tier = try Tier(reading: item, at: "\(pointer)/\(rank)")
      if case .registrar = tier, rank != items.count - 1 {
        throw .invalidField("\(pointer)/\(rank)", "must be the last tier, as it is the registrar's")
      }
      tiers.append(tier)
    }
    guard let authority = Authority(tiers) else {
      throw .invalidField(pointer, "must have exactly one tier {\"role\":\"signer\"}")
    }
    self = authority
  }
}

extension Tier {
  init(reading value: JSONValue, at pointer: String) throws(Refusal) {
    if value.object?["role"] != nil {
      self = try Tier.role(value, at: pointer)
    } else {
      self = try Tier.keys(value, at: pointer)
    }
  }

  private static func role(_ value: JSONValue, at pointer: String) throws(Refusal) -> Tier {
    let isRegistrar = value.object?["role"]?.string == "registrar"
    let fields = try FieldReader(value, at: pointer, allowed: isRegistrar ? ["role", "delay"] : ["role"])
    if isRegistrar {
      return .registrar(delay: try fields.integer("delay", in: Limits.registrarDelay...Limits.tierDelay))
    }
    try fields.exactly("role", "signer")
    return .signer
  }

  private static func keys(_ value: JSONValue, at pointer: String) throws(Refusal) -> Tier {
    let fields = try FieldReader(value, at: pointer, allowed: ["name", "keys", "threshold", "delay"])
    let name = try fields.string("name")
    guard (1...Limits.tierNameLength).contains(name.utf8.count),
      name.utf8.allSatisfy({ $0.isLowercaseAlphanumeric || $0 == UInt8(ascii: "-") })
    else {
      throw .invalidField(fields.at("name"), "must be 1 to \(Limits.tierNameLength) characters of a-z, 0-9 and -")
    }
    let keys = try Tier.keyList(fields, "keys")
    let threshold = try fields.integer("threshold", in: 1...Int64(keys.count))
    let delay = try fields.integer("delay", in: 0...Limits.tierDelay)
    return .keys(name: name, keys: keys, threshold: Int(threshold), delay: delay)
  }

  /// 1 to 16 distinct keys.
  static func keyList(_ fields: FieldReader, _ name: String) throws(Refusal) -> [VerifyingKey] {
    let items = try fields.array(name, count: 1...Limits.tierKeys)
    var keys: [VerifyingKey] = []
    for (i, item) in items.enumerated() {
      let place = "\(fields.at(name))/\(i)"
      let key = try FieldReader.verifyingKey(item, at: place)
      guard !keys.contains(key) else { throw .invalidField(place, "is in the list already") }
      keys.append(key)
    }
    return keys
  }
}

extension VerifyingKey {
  /// 44 characters of standard padded base64.
  public var base64: String { Base64.encode(bytes) }
}
