public import Cryptography
import PeerstackFormat
import Synchronization

/// Ids that prove their own first record (protocol §2.3).
public enum BoundID {
  /// How often the hash is iterated, which makes finding a second preimage 2¹⁰ times dearer.
  public static let iterations = 1_024

  private static let prefix = Array("peerstack bound id v1\n".utf8)

  /// What an id is bound to.
  public struct Commitment: Sendable, Hashable {
    /// The time of creation in the id.
    public var created: Milliseconds
    /// The authority of the claim.
    public var authority: Authority
    /// The key of the claim.
    public var publicKey: VerifyingKey
    /// The box key of the claim.
    public var publicBoxKey: PublicBoxKey

    /// A commitment to the first record.
    public init(created: Milliseconds, authority: Authority, publicKey: VerifyingKey, publicBoxKey: PublicBoxKey) {
      self.created = created
      self.authority = authority
      self.publicKey = publicKey
      self.publicBoxKey = publicBoxKey
    }

    /// The canonical JSON that is hashed.
    public var canonical: [UInt8] {
      CanonicalJSON.bytes(of: [
        "authority": authority.json, "created": .integer(created),
        "publicBoxKey": .text(Base64.encode(publicBoxKey.bytes32)),
        "publicKey": .text(Base64.encode(publicKey.bytes32)),
      ])
    }
  }

  /// The id that is bound to a first record; nil for a time that needs more than ten digits of base 36.
  public static func id(for commitment: Commitment) -> UserID? {
    UserID(PeerstackID.timePart(now: commitment.created) + suffix(for: commitment))
  }

  /// Whether a claim's id is bound to it. Costs over a thousand hashes the first time, and is kept with the record: ask
  /// where a rule or a person does.
  public static func isBound(_ claim: KeyRecord) -> Bool {
    claim.boundness?.value { isBoundComputed(claim) } ?? false
  }

  private static func isBoundComputed(_ claim: KeyRecord) -> Bool {
    guard let created = claim.subject.created else { return false }
    let commitment = Commitment(
      created: created, authority: claim.authority, publicKey: claim.publicKey, publicBoxKey: claim.publicBoxKey)
    return claim.subject.text.hasSuffix(suffix(for: commitment))
  }

  /// The last 15 characters: 128 bits of the last hash, modulo 36¹⁵, in base 36.
  private static func suffix(for commitment: Commitment) -> String {
    var hash = SHA256.hash(prefix + commitment.canonical)
    for _ in 0..<iterations { hash = SHA256.hash(hash) }
    var number: UInt128 = 0
    for byte in hash.bytes.prefix(16) { number = number << 8 | UInt128(byte) }
    var digits: [UInt8] = []
    for _ in 0..<UserID.boundCount {
      let digit = UInt8(truncatingIfNeeded: number % 36)
      digits.append(digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a"))
      number /= 36
    }
    return String(decoding: digits.reversed(), as: UTF8.self)
  }
}

/// Whether a claim is bound, worked out once, by whoever asks first.
final class Boundness: Sendable {
  private static let unknown: UInt8 = 0
  private static let isNot: UInt8 = 1
  private static let `is`: UInt8 = 2

  private let known = Atomic<UInt8>(unknown)

  /// The answer; two that ask at once work it out twice, to the same end.
  func value(_ compute: () -> Bool) -> Bool {
    let known = known.load(ordering: .relaxed)
    guard known == Self.unknown else { return known == Self.is }
    let value = compute()
    self.known.store(value ? Self.is : Self.isNot, ordering: .relaxed)
    return value
  }
}
