public import KeyRecords
import PeerstackFormat

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
    self.init(
      index: entry.index, accepted: entry.accepted, effective: entry.effective, rank: entry.rank,
      subject: entry.content.subject, hash: entry.content.hash, record: entry.content.canonical)
  }

  init(
    index: Int64, accepted: Milliseconds, effective: Milliseconds?, rank: Int?, subject: UserID?, hash: RecordHash,
    record: [UInt8]
  ) {
    self.index = index
    self.accepted = accepted
    self.effective = effective
    self.rank = rank
    self.subject = subject
    self.hash = hash
    self.record = record
  }
}

extension StoredEntry {
  /// The entry with its record read; nil if the record is not one, which says that the database was tampered with.
  func opened(app: AppID) -> Entry? {
    guard case .success(let content) = Submission.reopen(record, app: app), content.subject == subject else { return nil }
    return Entry(index: index, accepted: accepted, effective: effective, rank: rank, content: content)
  }
}

/// An entry with the rules it was judged under.
struct JudgedEntry: Sendable {
  let entry: Entry
  let policy: PolicyRules
}
