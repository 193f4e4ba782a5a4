import Cryptography
import KeyRecords

/// Everybody's keys. A key is known by its name, whose first letter says whose it is.
struct Cast: Sendable {
  /// Who owns a key.
  enum Party: Character, CaseIterable, Sendable {
    case owner = "O"
    case paper = "P"
    case vault = "V"
    case friend = "F"
    case thief = "T"
    case admin = "A"
    case rival = "R"
    /// Keys with which the checks try what somebody could do.
    case probe = "W"
  }

  /// How many keys each party has: more than a path can use.
  static let keysPerParty = 8
  /// The same keys in every run.
  static let standard = Cast()

  private let signingKeys: [String: SigningKey]
  private let keysByParty: [Party: [VerifyingKey]]
  private let boxKeys: [VerifyingKey: PublicBoxKey]
  private let names: [VerifyingKey: String]

  private init() {
    var signingKeys: [String: SigningKey] = [:]
    var boxKeys: [VerifyingKey: PublicBoxKey] = [:]
    var names: [VerifyingKey: String] = [:]
    var keysByParty: [Party: [VerifyingKey]] = [:]
    for party in Party.allCases {
      for number in 0..<Self.keysPerParty {
        let name = "\(party.rawValue)\(number)"
        guard let key = SigningKey(seed: SHA256.hash(Array("cast of the explorer: \(name)".utf8)).bytes) else {
          continue
        }
        signingKeys[name] = key
        boxKeys[key.verifyingKey] = key.boxKey.publicKey
        names[key.verifyingKey] = name
        keysByParty[party, default: []].append(key.verifyingKey)
      }
    }
    (self.signingKeys, self.boxKeys, self.names) = (signingKeys, boxKeys, names)
    self.keysByParty = keysByParty
  }

  /// The key of a name.
  func key(_ name: String) -> VerifyingKey {
    guard let key = signingKeys[name] else { preconditionFailure("nobody is called \(name)") }
    return key.verifyingKey
  }

  func keys(_ names: [String]) -> Set<VerifyingKey> { Set(names.map { key($0) }) }

  func name(of key: VerifyingKey) -> String { names[key] ?? "?" }

  func party(of key: VerifyingKey) -> Party? { names[key]?.first.flatMap(Party.init(rawValue:)) }

  func boxKey(of key: VerifyingKey) -> PublicBoxKey {
    guard let boxKey = boxKeys[key] else { preconditionFailure("a key of nobody") }
    return boxKey
  }

  /// The secret half.
  func signingKey(of key: VerifyingKey) -> SigningKey {
    guard let signingKey = signingKeys[name(of: key)] else { preconditionFailure("a key of nobody") }
    return signingKey
  }

  /// The first key of a party that is not used yet; nil when all are.
  func freshKey(of party: Party, notIn used: [VerifyingKey]) -> VerifyingKey? {
    keysByParty[party]?.first { !used.contains($0) }
  }
}
