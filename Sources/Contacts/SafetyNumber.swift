public import KeyRecords

/// What came of comparing what two people know of each other.
public enum SafetyComparison: Sendable, Hashable {
  /// Both know the same identities.
  case same
  /// The other side knows earlier records of this user, and nothing that contradicts: it should look again.
  case theyAreBehind(UserID)
  /// The other side says it knows later records of this user: look again, then compare once more. Proves nothing yet.
  case weAreBehind(UserID)
  /// What the other side knows of these users is something else.
  case different([UserID])
}

/// A number that is the same for two people exactly if they know the same of each other (docs/contact-card-format.md).
///
/// Fifty digits: those of the one whose id comes first, then the other's. Each half stands for one person and is a hash
/// of its own, so that nobody can look for two identities at once whose numbers meet.
public struct SafetyNumber: Sendable {
  /// Digits in a group.
  static let groupCount = 5
  /// Groups in a row.
  static let groupsInRow = SafetyIdentity.digitCount / groupCount
  /// Digits of the whole.
  public static let digitCount = 2 * SafetyIdentity.digitCount
  /// Bytes of what somebody typed in that are looked at.
  public static let maxTypedBytes = 1_024
  /// How many earlier keys of a user are tried before a number counts as another.
  static let earlierKeys = 64

  /// A person and what is known of them here.
  struct Side: Sendable {
    let identity: SafetyIdentity
    let state: UserState
  }

  /// The app.
  public let app: AppID
  /// In the order of the ids.
  let sides: [Side]

  /// The number of two users as they are known here; it does not matter which is which.
  public init(_ one: UserState, _ other: UserState) throws(SafetyFault) {
    let (first, second) = (try SafetyIdentity(one), try SafetyIdentity(other))
    guard first.app == second.app else { throw .differentApps(first.app, second.app) }
    guard first.user != second.user else { throw .samePerson(first.user) }
    app = first.app
    let both = [Side(identity: first, state: one), Side(identity: second, state: other)]
    sides = first.user < second.user ? both : both.reversed()
  }

  /// The two people in the order of the rows.
  public var users: [UserID] { sides.map(\.identity.user) }

  /// All fifty digits.
  public var digits: String { sides.map(\.identity.digits).joined() }

  /// A row of five groups of five digits for each person.
  public var rows: [String] {
    sides.map { side in
      let digits = Array(side.identity.digits)
      return stride(from: 0, to: digits.count, by: Self.groupCount)
        .map { String(digits[$0..<min($0 + Self.groupCount, digits.count)]) }.joined(separator: " ")
    }
  }

  /// The fifty digits that somebody typed in; spaces, line ends and dashes do not matter. Nil for anything else.
  public static func digits(typed text: [UInt8]) -> String? {
    guard text.count <= maxTypedBytes else { return nil }
    let separators = Set(" \t\r\n-.".utf8)
    let digits = text.filter { !separators.contains($0) }
    guard digits.count == digitCount, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return String(decoding: digits, as: UTF8.self)
  }

  /// Holds a number of the other side, as ``digits(typed:)`` gives it, against this one. An earlier number of a user is
  /// told from a wrong one; a later one is not: look again, then compare once more.
  public func compare(digits other: String) -> SafetyComparison {
    let halves = [other.prefix(SafetyIdentity.digitCount), other.dropFirst(SafetyIdentity.digitCount)]
    let wrong = zip(sides, halves).filter { $0.identity.digits != $1 }
    let different = wrong.filter { side, half in !Self.isEarlier(half, than: side) }.map(\.0.identity.user)
    guard different.isEmpty else { return .different(different) }
    return wrong.first.map { .theyAreBehind($0.0.identity.user) } ?? .same
  }

  /// Whether digits are those of an earlier key of the same history.
  private static func isEarlier(_ digits: Substring, than side: Side) -> Bool {
    let sequences = side.state.keys.map(\.sequence).filter { $0 < side.identity.sequence }.suffix(earlierKeys)
    return sequences.contains { SafetyIdentity(side.state, at: $0)?.digits == String(digits) }
  }
}
