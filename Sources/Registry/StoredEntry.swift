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

  /// Columns of a row, in the order of ``Statements/entryColumns``.
  init(_ row: PostgresRow, from column: Int = 0) throws(PostgresError) {
    var subject: UserID?
    if try !row.isNull(column + 4) {
      subject = try row.withBytes(column + 4) { UserID($0) }
      if subject == nil { throw PostgresError(.unexpectedResult, "a subject is no user id") }
    }
    try self.init(StoredFacts(row, from: column, hash: column + 5), of: subject, row, record: column + 6)
  }

  /// - Parameters:
  ///   - facts: From the row.
  ///   - column: Where its record is.
  init(_ facts: StoredFacts, of subject: UserID?, _ row: PostgresRow, record column: Int) throws(PostgresError) {
    index = facts.index
    accepted = facts.accepted
    effective = facts.effective
    rank = facts.rank.map { Int(clamping: $0) }
    hash = facts.hash
    self.subject = subject
    (text, recordStart) = try row.withBytes(column) { record in
      var text: [UInt8] = []
      text.reserveCapacity(Entry.mostBytesBesideRecord + record.count)
      facts.appendHead(to: &text)
      let start = text.count
      record.withUnsafeBufferPointer { text.append(contentsOf: $0) }
      text.append(UInt8(ascii: "}"))
      return (text, start)
    }
  }

  /// The entry with its record read; nil if the record is not one, which says that the database was tampered with.
  func opened(app: AppID) -> Entry? {
    guard case .success(let content) = Submission.reopen(record, app: app), content.subject == subject else {
      return nil
    }
    return Entry(index: index, accepted: accepted, effective: effective, rank: rank, content: content)
  }

  /// The entry of a claim, of which nothing has to be read again.
  ///
  /// - Parameters:
  ///   - text: The JSON text of the entry.
  ///   - recordStart: Where the record begins in the text.
  init(
    claim text: [UInt8], recordStart: Int, index: Int64, accepted: Milliseconds, effective: Milliseconds,
    subject: UserID, hash: RecordHash
  ) {
    self.index = index
    self.accepted = accepted
    self.effective = effective
    rank = nil
    self.subject = subject
    self.hash = hash
    self.text = text
    self.recordStart = recordStart
  }
}

/// What is stored of an entry beside its subject and its record.
public struct StoredFacts: Sendable {
  /// The place in the app's history.
  public let index: Int64
  /// When it was accepted.
  public let accepted: Milliseconds
  /// When it takes effect, as fixed at acceptance.
  public let effective: Milliseconds?
  /// The rank it was authorised at.
  public let rank: Int64?
  /// The record hash.
  public let hash: RecordHash

  /// Four columns of a row, in the order of ``Statements/entryColumns``, and the one of the hash.
  init(_ row: PostgresRow, from column: Int, hash hashColumn: Int) throws(PostgresError) {
    index = try row.int64(column)
    accepted = try row.int64(column + 1)
    effective = try row.optionalInt64(column + 2)
    rank = try row.optionalInt64(column + 3)
    guard let hash = try row.withBytes(hashColumn, { Bytes32(span: $0) }) else {
      throw PostgresError(.unexpectedResult, "a record hash has not 32 bytes")
    }
    self.hash = RecordHash(hash)
  }

  /// Appends the JSON text of the entry up to its record, behind which only a closing brace follows.
  public func appendHead(to text: inout [UInt8]) {
    Entry.appendHead(index: index, accepted: accepted, effective: effective, rank: rank, to: &text)
  }
}

/// An entry with the rules it was judged under.
struct JudgedEntry: Sendable {
  let stored: StoredEntry
  let policy: PolicyRules
}
