import CommandArguments
import Cryptography
import Foundation
import KeyRecords
import Keystore
import PeerstackFormat
import Testing

@testable import peerkey

/// Texts that come from outside: requests, approvals, times.
struct KeystoreTextTests {
  private let key = SigningKey.generate()

  private func request() throws -> ApprovalRequest {
    let subject = try #require(UserID("0mc2q6zx7calicealicealice"))
    let app = try #require(AppID("chat.example"))
    let authority = try #require(
      Authority(tiers: [
        .keys(name: "paper", keys: [SigningKey.generate().verifyingKey], threshold: 1, delay: 0), .signer,
      ]))
    let claim = RecordDraft(
      claim: subject, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey, authority: authority,
      modified: 1_790_000_000_000
    ).draft.signed(by: key)
    let head = try #require(try Submission.verify(claim, app: app).get().record)
    var record = RecordDraft(.recover, after: head, now: 1_790_000_001_000)
    let new = SigningKey.generate()
    record.publicKey = new.verifyingKey
    record.publicBoxKey = new.boxKey.publicKey
    record.reason = .lost
    let text = String(decoding: CanonicalJSON.bytes(of: .object(record.draft.unsigned)), as: UTF8.self)
    return try #require(ApprovalRequest(draft: text))
  }

  @Test func requestsSurviveMail() throws {
    let request = try request()
    let text = request.text
    let wrapped = stride(from: 0, to: text.utf8.count, by: 72).map { start in
      "> " + text.dropFirst(start).prefix(72)
    }.joined(separator: "\r\n")
    for mail in [text, "Hi!\n\n\(text)\n-- \nme", wrapped, "\(text.prefix(100)) …\n\(text)"] {
      let read = try #require(ApprovalRequest(text: Array(mail.utf8)), "\(mail)")
      #expect(read.draft == request.draft && read.checkDigits == request.checkDigits)
      #expect(read.deadline == request.modified + 300_000)
    }
    #expect(request.checkDigits.count == 14 && request.checkDigits.allSatisfy { $0 == " " || $0.isASCII })
    #expect(try self.request().checkDigits != request.checkDigits)
  }

  /// Whatever happens to a text, it is the same one or none.
  @Test func damagedTextsAreNone() throws {
    let request = try request()
    let answer = ApprovalAnswer(hash: request.draft.approvalHash, approval: request.draft.approval(by: key))
    let (asked, answered) = (Array(request.text.utf8), Array(answer.text.utf8))
    var random = SystemRandomNumberGenerator()
    for _ in 0..<4_000 {
      var text = Bool.random() ? asked : answered
      for _ in 0..<Int.random(in: 1...3) {
        let place = Int.random(in: text.indices, using: &random)
        switch Int.random(in: 0..<4) {
        case 0: text[place] ^= 1 << UInt8.random(in: 0..<8)
        case 1: text.remove(at: place)
        case 2: text.insert(.random(in: 0...255), at: place)
        default: text.removeLast(text.count - place)
        }
        if text.isEmpty { text = [0] }
      }
      if let read = ApprovalRequest(text: text) { #expect(read.draft == request.draft) }
      if let read = ApprovalAnswer(text: text) { #expect(read.hash == answer.hash && read.approval == answer.approval) }
    }
  }

  @Test func requestsThatAreNoRecords() throws {
    let draft = try request().draft.unsigned
    func read(_ object: JSONObject) -> ApprovalRequest? {
      ApprovalRequest(text: Array(CarriedText.text(object, prefix: ApprovalRequest.prefix).utf8))
    }
    #expect(read(draft) != nil)
    for (name, value) in [
      ("type", "AppPolicy"), ("action", "steal"), ("signer", "0mc2q6zx7cbobbobbobbobbob"), ("subject", "x"),
      ("app", "X"),
      ("authority", []), ("previous", "00"), ("publicKey", "AAAA"), ("modified", "now"), ("approvals", []),
      ("signature", ""),
    ] as [(JSONString, JSONValue)] {
      #expect(read(draft.setting(name, to: value)) == nil, "\(name)")
    }
    let forged = ApprovalAnswer(
      hash: try request().draft.approvalHash, approval: try request().draft.approval(by: key))
    #expect(ApprovalAnswer(text: Array(forged.text.utf8)) == nil, "the signature is for another hash")
  }

  @Test func times() {
    #expect(TimeText.time("2026-11-24") == 1_795_478_400_000)
    #expect(TimeText.time("2026-11-24T10:00:01Z") == 1_795_514_401_000)
    #expect(TimeText.time("2028-02-29") == 1_835_395_200_000)
    #expect(TimeText.time("1795514401000") == 1_795_514_401_000)
    for text in [
      "", "now", "2026-02-29", "2026-13-01", "2026-11-24T10:00:01", "2026-11-24T24:00:00Z", "26-11-24", "-1",
      "2026-11-24T", "2026-11-+4",
    ] {
      #expect(TimeText.time(text) == nil, "\(text)")
    }
    #expect(SpanArgument(argument: "3d")?.milliseconds == 259_200_000)
    #expect(SpanArgument(argument: "90m")?.milliseconds == 5_400_000)
    #expect(SpanArgument(argument: "0")?.milliseconds == 0)
    for text in ["", "3", "d", "-3d", "3 d", "3w", "1.5h", "99999999999999999d"] {
      #expect(SpanArgument(argument: text) == nil, "\(text)")
    }
  }

  /// The exit codes of docs/peerkey.md are those of the code.
  @Test func documentedExitCodes() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(contentsOf: root.appending(path: "docs/peerkey.md"), encoding: .utf8)
    let section = try #require(page.components(separatedBy: "## Exit codes").last?.components(separatedBy: "## ").first)
    let documented = section.split(separator: "\n").compactMap { line in
      line.split(separator: "|").first.flatMap { Int32($0.trimmingCharacters(in: .whitespaces)) }
    }
    let usage: Int32 = 64
    #expect(documented == (ExitStatus.allCases.map(\.rawValue) + [usage]).sorted())
    for code in documented { #expect(Peerkey.exitCodes.contains("\(code) "), "\(code)") }
  }
}
