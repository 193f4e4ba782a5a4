import Cryptography
public import KeyRecords
import Postgres

/// An entry as it is stored: its bytes are ready to be sent (protocol §8, "Entry").
public struct StoredEntry: Sendable {
  /// The place in the app's history.
  public let index: Int64
  /// When it was accepted.
  public let accepted: Milliseconds
  /// When it takes effect, as fixed at acceptance.
  public let effective: Milliseconds?
  /// The rank it was authorised at.
  public let rank: Int?
  /// The user it is about; nil for a policy.
  public let subject: UserID?
  /// The record hash.
  public let hash: RecordHash
  /// The canonical JSON of the record, policy or adjudication, as it was signed.
  public let record: [UInt8]

  /// The JSON text of the entry.
  public var text: [UInt8] {
    Entry.text(
      index: index, accepted: accepted, effective: effective, rank: rank.map(Int64.init), record: record)
  }

  /// Appends the JSON text of the entry.
  public func appendText(to output: inout [UInt8]) {
    output.append(contentsOf: text)
  }

  /// An entry that has been judged.
  init(_ entry: Entry) {
    index = entry.index
    accepted = entry.accepted
    effective = entry.effective
    rank = entry.rank
    subject = entry.content.subject
    hash = entry.content.hash
    record = entry.content.canonical
  }

  /// Columns of a row, in the order of ``Statements/entryColumns``.
  init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
    index = try row.int64(column)
    accepted = try row.int64(column + 1)
    effective = try row.optionalInt64(column + 2)
    rank = try row.optionalInt64(column + 3).map { Int(clamping: $0) }
    if let text = try row.optionalText(column + 4) {
      guard let user = UserID(text) else { throw PostgresError(.unexpectedResult, "a subject is no user id") }
      subject = user
    } else {
      subject = nil
    }
    guard let hash = Bytes32(try row.bytes(column + 5)) else {
      throw PostgresError(.unexpectedResult, "a record hash has not 32 bytes")
    }
    self.hash = RecordHash(hash)
    record = try row.bytes(column + 6)
  }

  /// The entry with its record read; nil if the record is not one, which says that the database was tampered with.
  func opened(app: AppID) -> Entry? {
    guard case .success(let content) = Submission.reopen(record, app: app), content.subject == subject else {
      return nil
    }
    return Entry(index: index, accepted: accepted, effective: effective, rank: rank, content: content)
  }
}

/// An entry with the rules it was judged under.
struct JudgedEntry: Sendable {
  let stored: StoredEntry
  let policy: PolicyRules
}
