import Cryptography
public import KeyRecords

/// Why a scanned text was not compared.
public enum SafetyTextFault: Error, Sendable, Hashable {
  /// It is none of ours, or a part is missing.
  case noSafetyText
  /// It was made by a later version.
  case laterVersion
  /// It is about another app.
  case otherApp(AppID)
  /// It is about other people.
  case otherPeople
}

/// A safety number as it is scanned: what the other side knows, so that "older" is told from "different".
///
/// `PEERKEY:SAFETY:1:<app>:<id>.<sequence>.<hashes>:<id>.<sequence>.<hashes>`, all in characters that are cheap in QR
/// codes; in the order of the ids. The hashes are 16 bytes each of the first record, the fingerprint and the head: nobody
/// gains by two that meet, so 128 bits are enough.
enum SafetyText {
  static let prefix = "PEERKEY:SAFETY:"
  static let version = "1"
  /// Bytes of a text: more than two old ids and the longest app id need.
  static let maxBytes = 512
  static let hashCount = 16
  /// Digits of a sequence: those of 2⁵³.
  static let sequenceDigits = 16

  /// What the other side knows of one person.
  struct Person: Hashable {
    let user: UserID
    let sequence: Int64
    let first: [UInt8]
    let fingerprint: [UInt8]
    let head: [UInt8]

    init(_ identity: SafetyIdentity) {
      user = identity.user
      sequence = identity.sequence
      first = Array(identity.first.bytes32.bytes.prefix(hashCount))
      fingerprint = Array(identity.fingerprint.bytes.prefix(hashCount))
      head = Array(identity.head.bytes32.bytes.prefix(hashCount))
    }

    init?(_ text: Substring) {
      let parts = text.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 3, let user = UserID(parts[0].lowercased()),
        (1...sequenceDigits).contains(parts[1].utf8.count),
        parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), parts[1] == "0" || parts[1].first != "0",
        let sequence = Int64(parts[1]), let hashes = Base32.decode(Array(parts[2].utf8)), hashes.count == 3 * hashCount
      else { return nil }
      self.user = user
      self.sequence = sequence
      first = Array(hashes[..<hashCount])
      fingerprint = Array(hashes[hashCount..<2 * hashCount])
      head = Array(hashes[(2 * hashCount)...])
    }

    var text: String { "\(user.text.uppercased()).\(sequence).\(Base32.encode(first + fingerprint + head))" }
  }

  static func read(_ bytes: [UInt8]) throws(SafetyTextFault) -> (app: AppID, people: [Person]) {
    guard bytes.count <= maxBytes, bytes.allSatisfy({ (0x09...0x7e).contains($0) }) else { throw .noSafetyText }
    let text = String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    guard text.uppercased().hasPrefix(prefix) else { throw .noSafetyText }
    let parts = text.dropFirst(prefix.utf8.count).split(separator: ":", omittingEmptySubsequences: false)
    guard parts.first.map(String.init) == version else { throw parts.count > 1 ? .laterVersion : .noSafetyText }
    guard parts.count == 4, let app = AppID(parts[1].lowercased()), let one = Person(parts[2]),
      let two = Person(parts[3]),
      one.user < two.user
    else { throw .noSafetyText }
    return (app, [one, two])
  }
}

extension SafetyNumber {
  /// What to draw as a QR code, or to hand over as text.
  public var text: String {
    let people = sides.map { SafetyText.Person($0.identity).text }
    return "\(SafetyText.prefix)\(SafetyText.version):\(app.text.uppercased()):\(people.joined(separator: ":"))"
  }

  /// Holds what was scanned at the other side against what is known here.
  public func compare(scanned text: [UInt8]) throws(SafetyTextFault) -> SafetyComparison {
    let (app, people) = try SafetyText.read(text)
    guard app == self.app else { throw .otherApp(app) }
    guard people.map(\.user) == users else { throw .otherPeople }
    let findings = zip(sides, people).map { ($0.identity.user, $0.finding($1)) }
    let different = findings.filter { $0.1 == .different }.map(\.0)
    guard different.isEmpty else { return .different(different) }
    if let behind = findings.first(where: { $0.1 == .weAreBehind }) { return .weAreBehind(behind.0) }
    return findings.first { $0.1 == .theyAreBehind }.map { .theyAreBehind($0.0) } ?? .same
  }
}

extension SafetyNumber.Side {
  enum Finding { case same, theyAreBehind, weAreBehind, different }

  /// What the other side's knowledge of this person is beside ours.
  func finding(_ other: SafetyText.Person) -> Finding {
    let own = SafetyText.Person(identity)
    guard other.first == own.first else { return .different }
    if other.sequence > own.sequence {
      guard other.head != own.head else { return .different }
      // What comes after our head is not known here, but the same number may go with it.
      return other.fingerprint == own.fingerprint ? .same : .weAreBehind
    }
    guard let then = SafetyIdentity(state, at: other.sequence).map(SafetyText.Person.init), then.head == other.head,
      then.fingerprint == other.fingerprint
    else { return .different }
    return other.fingerprint == own.fingerprint ? .same : .theyAreBehind
  }
}

extension SafetyTextFault: CustomStringConvertible {
  /// A sentence for people: what is the matter, then what to do.
  public var description: String {
    switch self {
    case .noSafetyText: "this is no safety number, or a part of one: scan it again"
    case .laterVersion: "this safety number was made by a later version: update this one"
    case .otherApp(let app): "this safety number is about \(app): compare in the same app"
    case .otherPeople: "this safety number is about other people: scan the one that they show for the two of you"
    }
  }
}
