import Foundation
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryTestKit
import Testing

/// The words of explanations.
@Suite struct ExplanationTests {
  private let app: AppID

  init() throws { app = try #require(AppID("chat.example")) }

  /// The numbers of the sections in docs/spec/protocol.md.
  private func sections() throws -> Set<String> {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "docs/spec/protocol.md"), encoding: .utf8)
    let numbers = text.split(separator: "\n").compactMap { line in
      let line = line.hasPrefix("## ") ? line.dropFirst(3) : line
      return line.split(separator: " ").first.map { $0.last == "." ? $0.dropLast() : $0 }
    }
    return Set(numbers.filter { $0.first?.isNumber == true }.map { "§\($0)" })
  }

  @Test(arguments: ProblemCode.allCases) func everyCodeHasASectionAndWords(_ code: ProblemCode) throws {
    let sections = try sections()
    let user = try #require(TestUser(app: app, created: TestPerson.now))
    let claim = try Submission.verify(user.claim(at: TestPerson.now), app: app).get()
    for submission in [nil, claim] {
      let explanation = Explanation(refused: code, [:], in: Explanation.Setting(submission: submission))
      #expect(sections.contains(explanation.rule), "\(explanation.rule) is no section of the protocol")
      #expect(explanation.outcome == "refused" && explanation.code == code)
      #expect(explanation.words.contains { $0.contains(code.rawValue) && $0.contains(code.detail) })
    }
  }

  /// The record, with the record it builds on, refused for a field.
  private func rule(_ action: KeyRecord.Action, _ pointer: String) throws -> String {
    var user = try #require(TestUser(app: app, created: TestPerson.now))
    let claim = try #require(try Submission.verify(user.claim(at: TestPerson.now), app: app).get().record)
    let text = action == .claim ? claim.canonical : user.rotate(after: claim, at: TestPerson.now)
    let setting = Explanation.Setting(submission: try Submission.verify(text, app: app).get(), base: claim)
    return Explanation(refused: .invalidField, ["pointer": .text(pointer)], in: setting).rule
  }

  @Test func aFieldIsRefusedByTheRuleThatLooksAtIt() throws {
    #expect(try rule(.rotate, "/incarnation") == "§5.9")
    #expect(try rule(.rotate, "/expires") == "§5.7")
    #expect(try rule(.claim, "/expires") == "§5.3")
    #expect(try rule(.rotate, "/publicBoxKey") == "§5.4")
    let unread = Explanation(refused: .invalidField, ["pointer": "/incarnation"], in: .init(submission: nil))
    #expect(unread.rule == "§5.1", "what cannot be read is refused for its form")
  }

  @Test func theHeadsTiersAreNamedAndNotThoseOfTheRecord() throws {
    let user = try #require(TestUser(app: app, created: TestPerson.now, paperDelay: 3_600_000))
    let claim = try #require(try Submission.verify(user.claim(at: TestPerson.now), app: app).get().record)
    var draft = RecordDraft(.amend, after: claim, now: TestPerson.now)
    draft.authority = try #require(Authority(tiers: [.signer, .registrar(delay: 86_400_000)]))
    let amend = try Submission.verify(draft.draft.signed(by: user.key), app: app).get()
    let setting = Explanation.Setting(submission: amend, base: claim)
    let facts: JSONObject = ["rank": .null, "missing": [1, 2]]
    let words = Explanation(refused: .notAuthorised, facts, in: setting).words
    #expect(words.contains("rank 0 paper (1 key, a delay of 1 hour): 1 approval missing"))
    #expect(words.contains("rank 1 signer (the key in force): 2 approvals missing"))
  }

  @Test func afterARevocationItIsSaidWhatIsTaken() throws {
    var user = try #require(TestUser(app: app, created: TestPerson.now))
    let claim = try #require(try Submission.verify(user.claim(at: TestPerson.now), app: app).get().record)
    let revocation = try #require(
      try Submission.verify(user.revoke(after: claim, at: TestPerson.now), app: app).get().record)
    let rotation = try Submission.verify(user.rotate(after: revocation, at: TestPerson.now), app: app).get()
    let facts: JSONObject = ["rank": .null, "missing": [1, 1]]
    func words(_ base: KeyRecord) -> String {
      Explanation(refused: .notAuthorised, facts, in: .init(submission: rotation, base: base)).words.joined()
    }
    #expect(words(revocation).contains("only a recover or a retire"))
    #expect(!words(claim).contains("only a recover or a retire"))
  }

  @Test func whatARegistrarSaysDoesNotSteerATerminal() {
    let facts: JSONObject = ["pointer": "/a\u{1b}[2J\u{9b}1m\n\u{202e}b", "head": "\u{1b}[2J"]
    for code in [ProblemCode.invalidField, .staleHead] {
      let words = Explanation(refused: code, facts, in: .init(submission: nil)).words.joined()
      #expect(!words.unicodeScalars.contains { [0x1b, 0x9b, 0x0a, 0x202e].contains($0.value) })
    }
    #expect(PrintableText.line("/a\u{1b}b\nc ä") == "/ab c ä")
    #expect(PrintableText.line(String(repeating: "x", count: 501)).count == 500)
  }

  @Test func anAdjudicationOfAnOpenWindowWaits() throws {
    let user = try #require(TestUser(app: app, created: TestPerson.now))
    let claim = RecordHash(of: user.claim(at: TestPerson.now))
    let draft = Adjudication.draft(winner: claim, of: user.id, app: app, now: TestPerson.now)
    let adjudication = try Submission.verify(#require(draft.signed(approvedBy: [user.paper])), app: app).get()
    let facts: JSONObject = ["claims": .array([.text(claim.hex)]), "missing": 2]
    for (submission, isAdmins) in [(adjudication, true), (nil, false)] as [(Submission?, Bool)] {
      let contested = Explanation(refused: .contested, facts, in: .init(submission: submission))
      #expect(contested.rule == "§6" && contested.words.joined().contains(claim.hex))
      #expect(contested.words.joined().contains("when the contest window has ended") == isAdmins)
    }
    let few = Explanation(refused: .notAuthorised, facts, in: .init(submission: adjudication))
    #expect(few.rule == "§6" && few.words.last == "2 more of the app's admins must sign")
  }

  @Test func aDryRunAnswerIsReadWhole() throws {
    let tier: JSONValue = ["role": "registrar", "delay": 86_400_000]
    let fields: JSONObject = [
      "effect": "pending", "rank": 2, "tier": tier, "effective": 1_795_558_334_000, "stoppableBy": [0, 2],
    ]
    let answer = try #require(DryRunAnswer(fields))
    #expect(answer.tier == .registrar(delay: 86_400_000) && answer.stoppableBy == [0, 2] && answer.rank == 2)
    #expect(answer.json == .object(fields))
    let explanation = Explanation(answer, in: .init(submission: nil))
    #expect(explanation.words.joined().contains("2026-11-24 22:12:14 UTC"))
    for name in ["effect", "rank", "tier", "effective", "stoppableBy"] {
      #expect(DryRunAnswer(fields.omitting([name])) == nil)
    }
    #expect(DryRunAnswer(fields.setting("effect", to: "other")) == nil)
  }
}
