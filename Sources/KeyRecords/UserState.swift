import Cryptography
public import PeerstackFormat

/// What is known of a user at a time (protocol §8, "State").
public struct UserState: Sendable {
  /// How the user stands.
  public enum Status: String, Sendable, Hashable {
    /// A key is in force.
    case active
    /// The key was revoked and there is no successor yet.
    case locked
    /// Rival claims are open.
    case contested
    /// The id has ended for good.
    case retired
  }

  /// A record that waits for its time.
  public struct Pending: Sendable, Hashable {
    /// Which.
    public let record: RecordHash
    /// When it takes effect, if nothing replaces it.
    public let effective: Milliseconds
    /// The rank it was authorised at.
    public let rank: Int
  }

  /// What became of an entry.
  public struct RecordStatus: Sendable, Hashable {
    /// Its index.
    public let index: Int64
    /// Its record hash.
    public let record: RecordHash
    /// `effective`, `pending`, `cancelled` or `refused`.
    public let status: String
    /// When it took or will take effect.
    public let effective: Milliseconds?
  }

  /// How the user stands.
  public let status: Status
  /// The head: the record in force.
  public let head: KeyRecord
  /// The record that waits.
  public let pending: Pending?
  /// The first claim, then its rivals; nil unless contested.
  public let claims: [RecordHash]?
  /// All keys of the history in force, oldest first.
  public let keys: [KeyInterval]
  /// Every entry of the user.
  public let records: [RecordStatus]
  /// The records in force by their sequence.
  let line: [KeyRecord]
  /// The claim that the history begins with.
  public let firstClaim: KeyRecord

  /// The key in force; nil while there is none.
  public var currentKey: KeyInterval? { keys.last { $0.fate == .current } }

  /// The record in effect at a position; nil if there is none.
  public func record(at sequence: Int64) -> KeyRecord? {
    line.indices.contains(Int(clamping: sequence)) ? line[Int(sequence)] : nil
  }

  /// Whether the key of the record in effect at a position is void.
  public func isKeyVoid(at sequence: Int64) -> Bool {
    guard let record = record(at: sequence) else { return false }
    return keys.last { $0.publicKey == record.publicKey }?.fate == .void
  }

  /// The state as JSON, with exactly the fields of the protocol.
  public var json: JSONValue {
    var members: [(JSONString, JSONValue)] = [
      ("status", .text(status.rawValue)), ("sequence", .integer(head.sequence)), ("head", .text(head.hash.hex)),
      ("incarnation", .integer(head.incarnation)), ("authority", head.authority.json), ("pending", pendingJSON),
    ]
    if let claims { members.append(("claims", .array(claims.map { .text($0.hex) }))) }
    members.append(("keys", .array(keys.map(\.json))))
    members.append(("records", .array(records.map(\.json))))
    return .object(JSONObject(members))
  }

  private var pendingJSON: JSONValue {
    guard let pending else { return .null }
    return [
      "record": .text(pending.record.hex), "effective": .integer(pending.effective),
      "rank": .integer(Int64(pending.rank)),
    ]
  }
}

extension UserState.RecordStatus {
  var json: JSONValue {
    [
      "index": .integer(index), "record": .text(record.hex), "status": .text(status), "effective": effective.json,
    ]
  }
}

extension KeyHistory {
  /// The state, with everything settled that is due by `now`; nil while nobody has claimed the user.
  public func state(at now: Milliseconds) -> UserState? {
    let fold = Fold(self, at: now)
    guard let head = fold.head, let first = fold.line.first else { return nil }
    return UserState(
      status: fold.status, head: head.record, pending: fold.pendingState, claims: fold.claimHashes,
      keys: KeyIntervals(fold).keys, records: fold.recordStatuses, line: fold.line.map(\.record),
      firstClaim: first.record)
  }
}

extension Fold {
  var status: UserState.Status {
    if contest != nil { return .contested }
    if isRetired { return .retired }
    return isLocked ? .locked : .active
  }

  /// The first claim, then its rivals, while there is a contest.
  var claimHashes: [RecordHash]? {
    contest?.claims.map { items[$0].entry.content.hash }
  }

  fileprivate var pendingState: UserState.Pending? {
    guard let item = pending, let effective = effectives[item], let rank = items[item].entry.rank else { return nil }
    return UserState.Pending(record: items[item].entry.content.hash, effective: effective, rank: rank)
  }

  fileprivate var recordStatuses: [UserState.RecordStatus] {
    items.indices.map { item in
      UserState.RecordStatus(
        index: items[item].entry.index, record: items[item].entry.content.hash, status: statuses[item].rawValue,
        effective: effectives[item])
    }
  }
}
