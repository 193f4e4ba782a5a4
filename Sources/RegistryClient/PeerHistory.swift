public import KeyRecords
import PeerstackFormat

/// A history that somebody passed on: a peer, a contact card. It proves who signed, not when, nor that nothing is
/// missing.
public struct PeerHistory: Sendable {
  /// Bytes of a text.
  public static let maxBytes = 8 << 20

  /// Whom it is said to be about.
  public let user: UserID
  let entries: [JSONValue]
  /// The policy chain, where the sender gave it.
  let policies: [JSONValue]?

  /// Entries that are said to be a user's.
  init(of user: UserID, _ entries: [JSONValue]) {
    self.user = user
    self.entries = entries
    policies = nil
  }

  /// Reads `{"entries":[…],"policies":[…]}`, `policies` being optional; nil if it is no such text.
  public init?(_ text: [UInt8]) {
    // The text, a list, an entry, and the record with its own sixteen.
    let depth = JSONLimits.strictMaxDepth + 3
    guard text.count <= Self.maxBytes, let fields = try? JSONValue.parseStrict(text, maxDepth: depth).object,
      let entries = fields["entries"]?.array,
      let user = entries.first?.object?["record"]?.object?["subject"]?.string.flatMap({ UserID($0) })
    else { return nil }
    self.init(user: user, entries: entries, policies: fields["policies"]?.array)
  }

  init(user: UserID, entries: [JSONValue], policies: [JSONValue]?) {
    self.user = user
    self.entries = entries
    self.policies = policies
  }

  /// The text for a history that is to be passed on.
  public static func text(of judged: JudgedHistory, policies: AppHistory?) -> [UInt8] {
    let lists = [("entries", judged.history.entries), ("policies", policies?.entries ?? [])]
    let members = lists.map { name, entries in
      Array("\"\(name)\":[".utf8) + entries.map(\.text).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
    }
    return [UInt8(ascii: "{")] + members.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
  }

  /// The chain to judge by: of what is known and what the sender gave, the one that goes on from the other. What the
  /// sender gave counts alone only if it begins with the policy that the app was given.
  func chain(known: AppHistory?, app: AppID, firstPolicy: RecordHash?) throws(Contradiction) -> AppHistory? {
    guard let policies else { return known }
    let given = try HistoryRules.chain(policies, app: app)
    if let known {
      if HistoryRules.extends(given.entries, known.entries) { return given }
      guard HistoryRules.extends(known.entries, given.entries) else {
        throw Contradiction(.policy, "the policies that came with it are not the app's")
      }
      return known
    }
    guard let firstPolicy else { return nil }
    guard given.entries.first?.content.hash == firstPolicy else {
      throw Contradiction(.policy, "the first policy is not the one that this app was given")
    }
    return given
  }

  /// Judges the entries up to the first that builds on a delayed record; in what is left no delayed record takes
  /// effect.
  func judge(app: AppID, under chain: AppHistory, clock: Milliseconds) throws(Contradiction) -> JudgedHistory? {
    let entries = try HistoryRules.read(entries, app: app)
    try HistoryRules.checkFuture(entries, asOf: nil, clock: clock)
    var history = KeyHistory(app: app, subject: user)
    for entry in entries {
      if let last = history.entries.last, let pending = history.state(at: last.accepted)?.pending,
        entry.accepted >= pending.effective
      {
        break
      }
      try HistoryRules.replay([entry], onto: &history, under: chain)
    }
    guard let last = history.entries.last else { return nil }
    return JudgedHistory(history, asOf: AsOf(index: last.index, time: last.accepted), isConfirmed: false)
  }
}
