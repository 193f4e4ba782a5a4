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
  /// The JSON text of the entry.
  public let text: [UInt8]
  /// Where the record begins in the text. It ends before the last byte.
  let recordStart: Int

  /// The canonical JSON of the record, policy or adjudication, as it was signed: a copy.
  public var record: [UInt8] { Array(text[recordStart..<(text.count - 1)]) }

  /// How many bytes the record has.
  public var recordCount: Int { text.count - 1 - recordStart }

  /// Calls `body` with the record's bytes, without a copy.
  public func withRecord<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try body(text.span.extracting(recordStart..<(text.count - 1)))
  }

  /// Whether the record begins and ends as an object: what keeps an answer in one piece if the database was damaged.
  var isObject: Bool { withRecord { Self.isObject($0) } }

  /// The same of a record's bytes.
  static func isObject(_ record: Span<UInt8>) -> Bool {
    record.count >= 2 && record[0] == UInt8(ascii: "{") && record[record.count - 1] == UInt8(ascii: "}")
  }

  /// An entry that has been judged.
  init(_ entry: Entry) {
    index = entry.index
    accepted = entry.accepted
    effective = entry.effective
    rank = entry.rank
    subject = entry.content.subject
    hash = entry.content.hash
    text = entry.text
    recordStart = text.count - 1 - entry.content.canonical.count
  }

  /// Places among ``Statements/entryColumns``.
  static let subjectColumn = 4
  static let hashColumn = 5
  static let recordColumn = 6

  /// Columns of a row, in the order of ``Statements/entryColumns``.
  init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
    index = try row.int64(column)
    accepted = try row.int64(column + 1)
    effective = try row.optionalInt64(column + 2)
    rank = try row.optionalInt64(column + 3).map { Int(clamping: $0) }
    if try row.isNull(column + Self.subjectColumn) {
      subject = nil
    } else {
      guard let user = try row.withBytes(column + Self.subjectColumn, { UserID($0) }) else {
        throw PostgresError(.unexpectedResult, "a subject is no user id")
      }
      subject = user
    }
    hash = try Self.hash(row, column + Self.hashColumn)
    let (index, accepted, effective, rank) = (index, accepted, effective, rank.map(Int64.init))
    (text, recordStart) = try row.withBytes(column + Self.recordColumn) { record in
      var text: [UInt8] = []
      text.reserveCapacity(Entry.mostBytesBesideRecord + record.count)
      Entry.appendHead(index: index, accepted: accepted, effective: effective, rank: rank, to: &text)
      let start = text.count
      record.withUnsafeBufferPointer { text.append(contentsOf: $0) }
      text.append(UInt8(ascii: "}"))
      return (text, start)
    }
  }

  static func hash(_ row: PostgresRow, _ column: Int) throws(PostgresError) -> RecordHash {
    guard let hash = try row.withBytes(column, { Bytes32(span: $0) }) else {
      throw PostgresError(.unexpectedResult, "a record hash has not 32 bytes")
    }
    return RecordHash(hash)
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
