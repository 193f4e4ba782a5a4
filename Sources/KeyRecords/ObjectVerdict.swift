public import Cryptography
import PeerstackFormat

/// What a client decides of an object whose signer's history it has (protocol §9).
public enum ObjectVerdict: String, Sendable, Hashable {
  /// The signature verifies under a key that was in force.
  case valid
  /// As valid, but the key may have been in wrong hands, or the user is contested.
  case suspect
  /// No key of the history verifies it, or not one that counts for it.
  case invalid
}

/// What shows that an object is older than the compromise of its key (protocol §9).
public struct ObjectEvidence: Sendable, Hashable {
  /// The time of a receipt for it.
  public var receipt: Milliseconds?
  /// When this client first saw it.
  public var seen: Milliseconds?
  /// Whether a later key of the user, neither void nor compromised, stands by it.
  public var isAdopted: Bool

  /// What is known; by default nothing.
  public init(receipt: Milliseconds? = nil, seen: Milliseconds? = nil, isAdopted: Bool = false) {
    self.receipt = receipt
    self.seen = seen
    self.isAdopted = isAdopted
  }

  func showsOlder(than time: Milliseconds) -> Bool {
    isAdopted || receipt.map { $0 < time } ?? false || seen.map { $0 < time } ?? false
  }
}

/// A verdict and what it rests on.
public struct JudgedObject: Sendable, Hashable {
  /// The verdict.
  public let verdict: ObjectVerdict
  /// Why, as the end of a sentence for people.
  public let reason: String
  /// The key that verifies the signature; nil if none does.
  public let key: VerifyingKey?
}

extension UserState {
  /// Judges an object that says it is by this user.
  ///
  /// - Parameters:
  ///   - modified: The object's `modified`, if that is a number.
  ///   - now: The time up to which ends of keys count; for `expires`, a client gives its own clock if that is later.
  ///   - verifies: Whether the object's signature verifies under a key.
  public func judgeObject(
    modified: Double?, evidence: ObjectEvidence, now: Milliseconds, verifies: (VerifyingKey) -> Bool
  ) -> JudgedObject {
    // The newest first: most objects are by it.
    guard let key = keys.last(where: { verifies($0.publicKey) }) else {
      return JudgedObject(verdict: .invalid, reason: "no key of the signer verifies it", key: nil)
    }
    func verdict(_ verdict: ObjectVerdict, _ reason: String) -> JudgedObject {
      JudgedObject(verdict: verdict, reason: reason, key: key.publicKey)
    }
    guard key.fate != .void else { return verdict(.invalid, "the key was never the signer's") }
    if let end = key.end(at: now) {
      guard let modified, modified < Double(end + Limits.endGrace) else {
        return verdict(.invalid, "signed after the end of the key")
      }
    }
    if status == .contested { return verdict(.suspect, "the signer's id is contested") }
    if let compromised = key.compromised, !evidence.showsOlder(than: compromised) {
      return verdict(.suspect, "the key was in wrong hands and nothing shows that the object is older")
    }
    return verdict(.valid, "signed by the signer's key")
  }
}

extension KeyInterval {
  /// The end that counts by a time: `until` or `expires`, the earlier.
  public func end(at now: Milliseconds) -> Milliseconds? {
    [until, expires].compactMap(\.self).filter { $0 <= now }.min()
  }
}
