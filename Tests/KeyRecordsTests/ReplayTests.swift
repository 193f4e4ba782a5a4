import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// What a client does not take from a registrar (protocol §9).
struct ReplayTests {
  let app: AppID
  let rules: PolicyRules
  let now: Milliseconds = 1_770_000_000_000
  let key = SigningKey.generate()
  let claim: Entry
  let amend: Entry

  init() throws {
    app = try #require(AppID("chat.example"))
    rules = PolicyRules(admins: try #require(Admins(keys: [key.verifyingKey], threshold: 1)))
    let subject = try #require(UserID("0123456789abcdef0123456789abcdef"))
    let draft = RecordDraft(
      claim: subject, app: app, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey,
      authority: try #require(Authority(tiers: [.signer])), modified: now)
    let first = try Submission.verify(draft.draft.signed(by: key), app: app).get()
    claim = Entry(index: 7, accepted: now, effective: now, rank: nil, content: first)
    let next = RecordDraft(.amend, after: try #require(first.record), now: now).draft.signed(by: key)
    amend = Entry(
      index: 9, accepted: now + 2, effective: now + 2, rank: 0, content: try Submission.verify(next, app: app).get())
  }

  private func reason(_ entries: [Entry]) throws -> String? {
    var history = KeyHistory(app: app, subject: try #require(claim.content.subject))
    do throws(ReplayConflict) {
      for entry in entries { try history.replay(entry, under: rules) }
      return nil
    } catch {
      return error.reason
    }
  }

  private func changed(
    index: Int64? = nil, accepted: Milliseconds? = nil, effective: Milliseconds? = nil, rank: Int? = 0
  ) -> Entry {
    Entry(
      index: index ?? amend.index, accepted: accepted ?? amend.accepted,
      effective: effective ?? accepted ?? amend.accepted, rank: rank, content: amend.content)
  }

  @Test func whatTheRulesSayIsTaken() throws {
    #expect(try reason([claim, amend]) == nil)
  }

  @Test func otherRanksAndEffectsAreNot() throws {
    let reason = "rank or effect are not what the rules say"
    #expect(try self.reason([claim, changed(rank: 1)]) == reason)
    #expect(try self.reason([claim, changed(rank: nil)]) == reason)
    #expect(try self.reason([claim, changed(effective: now + 3)]) == reason)
  }

  @Test func entriesInAnotherOrderAreNot() throws {
    #expect(try reason([claim, changed(index: 7)]) == "the indexes do not rise")
    #expect(try reason([claim, changed(accepted: now - 1)]) == "the entry was accepted before the one before it")
    #expect(try reason([claim, changed(accepted: now)]) == nil)
    #expect(try reason([amend]) == "the rules refuse it: unknown-user")
  }

  @Test func theSameTwiceIsNot() throws {
    let again = Entry(index: 8, accepted: now, effective: now, rank: nil, content: claim.content)
    #expect(try reason([claim, again]) == "the same record comes twice")
  }
}
