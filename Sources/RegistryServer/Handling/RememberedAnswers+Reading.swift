import Cryptography
import HTTPFormat
import KeyRecords
import Registry
import RegistryAPI
import WebTransport

// Keys that memory has not: read together with others, and answered without a task as well.
extension RememberedAnswers {
  func begin(_ head: borrowing RequestHead) -> ((PendingAnswer) -> Void)? {
    guard head.method == .get || head.method == .head, !head.hasQuery else { return nil }
    let start = AnswerTally.now
    guard let (app, id) = head.withPath({ keyPath($0) }), !app.isForMembers else { return nil }
    let (keys, handler) = (keys, handler)
    return { pending in
      let isTakenOn = app.readKey(id) { result in
        switch result {
        case .success(let entry):
          pending.give { head, output in entry.flatMap { keys.append($0, to: head, &output, since: start) } }
        case .failure(let error):
          pending.give { _ in handler.keyResponse(to: error, since: start) }
        }
      }
      // Known by now, or the answer is another than a record.
      if !isTakenOn { pending.give { _, _ in nil } }
    }
  }
}

/// Writes the answers of `GET …/keys/{user}` that are records.
struct KeyAnswers: Sendable {
  let tally: AnswerTally
  private let key = ResponseTemplate(status: 200, fields: AnswerFields.keyJSON)
  private let sameKey = ResponseTemplate(status: 304, fields: AnswerFields.keyJSON)

  init(_ tally: AnswerTally) { self.tally = tally }

  /// Appends the answer to a request that came at `start`, and gives its status.
  func append(
    _ entry: StoredEntry, to head: borrowing RequestHead, _ output: inout ResponseOutput, since start: Int64
  ) -> Int {
    let status = entry.withRecord { append(entry.hash, $0, to: head, &output) }
    tally.note(status == 304 ? .sameKey : .key, since: start)
    return status
  }

  /// The same of a record.
  func append(
    _ hash: RecordHash, _ record: Span<UInt8>, to head: borrowing RequestHead, _ output: inout ResponseOutput
  ) -> Int {
    let isSame = head.isConditional && head.ifNoneMatch(names: EntityTags.tag(of: hash.bytes32))
    output.append(
      isSame ? sameKey : key, tag: { Hex.append(hash.bytes32, to: &$0) }, bodyCount: record.count
    ) { output in
      record.withUnsafeBufferPointer { output.append(contentsOf: $0) }
    }
    return isSame ? 304 : 200
  }
}
