public import KeyRecords
import PeerstackFormat
import Synchronization

/// What `GET …/keys/{user}` says.
public enum KeyAnswer: Sendable {
  /// The entry of the head, while the user is active.
  case record(StoredEntry)
  /// `locked`, `contested` or `retired`, with its facts.
  case refused(Refusal)
}

/// Everything about one user at one moment. Never changes; what it says of now is true until ``validUntil``.
///
/// ``RegistryApp/user(_:)`` gives one that is true now. Entries never change, so answers are made of stored bytes.
public final class UserSnapshot: Sendable {
  /// The app.
  public let app: AppID
  /// The user.
  public let id: UserID
  /// All entries, oldest first; at least one.
  public let entries: [StoredEntry]
  /// When time alone changes something next; `.max` if it does not.
  public let validUntil: Milliseconds
  /// What `GET …/keys/{user}` says.
  public let key: KeyAnswer
  /// The index of the newest entry.
  let lastIndex: Int64

  /// An entry in effect at a sequence.
  private struct Position: Sendable {
    let entry: Int
    let isVoid: Bool
  }

  /// By sequence.
  private let line: [Position]
  /// What each entry was judged under.
  private let policies: [PolicyRules]
  /// The time that what is said of now was worked out at.
  private let settledAt: Milliseconds
  private let stateCache = Mutex<[UInt8]?>(nil)

  /// What stored entries say of a user at the acceptance of the last; nil without entries, or if one cannot be read, which
  /// says that the database was tampered with. No clock is asked: what it says of now is settled when it is used.
  ///
  /// A claim alone was judged when it was accepted, and is neither parsed nor hashed again: whether the database still has
  /// what was stored is for `registrar check` to say, and for clients, who verify the record.
  convenience init?(app: AppID, _ id: UserID, entries: [JudgedEntry]) {
    guard let last = entries.last else { return nil }
    if entries.count == 1, last.stored.effective != nil {
      guard last.stored.isObject else { return nil }
      self.init(app: app, id, claim: last)
      return
    }
    var history = KeyHistory(app: app, subject: id)
    for entry in entries {
      guard let opened = entry.stored.opened(app: app), opened.content.subject == id else { return nil }
      history.append(opened, under: entry.policy)
    }
    self.init(history, entries: entries.map(\.stored), under: entries.map(\.policy), at: last.stored.accepted)
  }

  /// A user with the first claim alone: most users. It is in effect, and time does nothing to it; so it need not be read,
  /// which would cost more than all else.
  init(app: AppID, _ id: UserID, claim: JudgedEntry) {
    self.app = app
    self.id = id
    entries = [claim.stored]
    policies = [claim.policy]
    settledAt = claim.stored.accepted
    validUntil = .max
    line = [Position(entry: 0, isVoid: false)]
    key = .record(claim.stored)
    lastIndex = claim.stored.index
  }

  /// - Parameters:
  ///   - entries: those of the history.
  ///   - policies: what each was judged under.
  init?(_ history: KeyHistory, entries: [StoredEntry], under policies: [PolicyRules], at now: Milliseconds) {
    guard let state = history.state(at: now), let last = entries.last else { return nil }
    app = history.app
    id = history.subject
    self.entries = entries
    self.policies = policies
    settledAt = now
    validUntil = history.nextChange(after: now) ?? .max
    let places = Dictionary(entries.enumerated().map { ($1.hash, $0) }) { first, _ in first }
    line = (0...state.head.sequence).compactMap { sequence in
      state.record(at: sequence).flatMap { places[$0.hash] }.map {
        Position(entry: $0, isVoid: state.isKeyVoid(at: sequence))
      }
    }
    key = Self.key(of: state, head: places[state.head.hash].map { entries[$0] })
    lastIndex = last.index
  }

  /// The strong entity tag of ``key``, quotes included: the record hash. Empty for a refusal.
  public var keyTag: String {
    if case .record(let head) = key { "\"\(head.hash.hex)\"" } else { "" }
  }

  /// The strong entity tag of ``stateText``, quotes included. Instances agree on it.
  ///
  /// The entries decide the state but for time, and each change by time moves the next one.
  public var stateTag: String {
    let change = validUntil == .max ? 0 : validUntil
    return "\"\(lastIndex)-\(entries.last?.hash.hex.prefix(Self.tagCharacters) ?? "")-\(change)\""
  }

  private static let tagCharacters = 16

  private static func key(of state: UserState, head: StoredEntry?) -> KeyAnswer {
    let hash: JSONValue = .text(state.head.hash.hex)
    switch state.status {
    case .active: return head.map { .record($0) } ?? .refused(Refusal(.locked, ["head": hash]))
    case .locked: return .refused(Refusal(.locked, ["head": hash]))
    case .retired: return .refused(Refusal(.retired, ["head": hash]))
    case .contested:
      return .refused(Refusal(.contested, ["claims": .array((state.claims ?? []).map { .text($0.hex) })]))
    }
  }

  // MARK: Entries

  /// The entries with a larger index; all without one.
  public func entries(after index: Int64?) -> ArraySlice<StoredEntry> {
    guard let index else { return entries[...] }
    return entries[(entries.firstIndex { $0.index > index } ?? entries.endIndex)...]
  }

  /// The entries after the one with a record hash; all if there is none such (`have` of `resolve`).
  public func entries(afterRecord hash: RecordHash?) -> ArraySlice<StoredEntry> {
    guard let hash, let place = entries.lastIndex(where: { $0.hash == hash }) else { return entries[...] }
    return entries[(place + 1)...]
  }

  /// What `GET …/keys/{user}/{sequence}` says: the entry in effect at that position, or `unknown-record` or `key-void`.
  public func record(atSequence sequence: Int64) -> Result<StoredEntry, Refusal> {
    guard sequence >= 0, sequence < line.count else { return .failure(Refusal(.unknownRecord)) }
    let position = line[Int(sequence)]
    guard !position.isVoid else { return .failure(Refusal(.keyVoid)) }
    return .success(entries[position.entry])
  }

  // MARK: States

  /// The state now, as JSON text (protocol §8, "State"). Made when it is first asked for.
  public var stateText: [UInt8] {
    stateCache.withLock { cache in
      if let text = cache { return text }
      let text = history().state(at: settledAt)?.json.text ?? []
      cache = text
      return text
    }
  }

  /// The state of the entries accepted until a time, settled at that time (`?at`); nil before the first.
  public func state(at time: Milliseconds) -> UserState? {
    history().prefix(acceptedUntil: time).state(at: time)
  }

  /// The state of the entries up to an index, settled at the acceptance of the newest among them (`?index`); nil before
  /// the first.
  public func state(throughIndex index: Int64) -> UserState? {
    guard let newest = entries.last(where: { $0.index <= index }) else { return nil }
    return history().prefix(throughIndex: index).state(at: newest.accepted)
  }

  /// The entries, opened again.
  func history() -> KeyHistory {
    var history = KeyHistory(app: app, subject: id)
    for (entry, policy) in zip(entries, policies) {
      // It was opened when this was made, so it can be opened again.
      if let opened = entry.opened(app: app) { history.append(opened, under: policy) }
    }
    return history
  }

  /// This user with time settled up to `now`.
  func settled(at now: Milliseconds) -> UserSnapshot? {
    UserSnapshot(history(), entries: entries, under: policies, at: now)
  }

  /// This user with further entries, those it has already left out.
  func appending(_ further: [JudgedEntry]) -> UserSnapshot? {
    let new = further.filter { $0.stored.index > lastIndex }
    if new.isEmpty { return self }
    return UserSnapshot(app: app, id, entries: judgedEntries + new)
  }

  /// The entry, where ``init(app:_:claim:)`` makes the same user of it.
  var claimAlone: JudgedEntry? {
    guard entries.count == 1, validUntil == .max, case .record = key, let claim = judgedEntries.first,
      claim.stored.effective != nil, claim.stored.rank == nil, claim.stored.subject == id
    else { return nil }
    return claim
  }

  /// The entries with what they were judged under.
  var judgedEntries: [JudgedEntry] {
    zip(entries, policies).map { JudgedEntry(stored: $0, policy: $1) }
  }
}

extension UserSnapshot {
  private static let fixedCost = 1_024
  private static let entryCost = 768

  /// A careful estimate of the bytes that this takes: the entries, what is kept beside each, and the text of the state,
  /// whose authority is part of the head and which has less than 500 bytes for each entry and its key.
  var memoryCost: Int {
    let texts = entries.reduce(0) { $0 + $1.text.count }
    return Self.fixedCost + Self.entryCost * entries.count + texts + (entries.map(\.text.count).max() ?? 0)
  }
}
