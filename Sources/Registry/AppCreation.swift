import KeyRecords
import PeerstackFormat
import Postgres
import RegistryAPI

/// Creates apps (protocol §7): the row that is locked for everything else, and the first policy as entry 0.
struct AppCreation: Sendable {
  /// Undoes the transaction: the policy is not the app's first.
  private struct Refused: Error {
    let refusal: Refusal
  }

  let core: RegistryCore
  let session: PostgresSession

  nonisolated(nonsending) func run(_ text: [UInt8], _ id: AppID) async throws(RegistryUnavailable) -> SubmissionOutcome
  {
    let body: SubmissionBody
    switch SubmissionBody.verify(text, app: id) {
    case .success(let verified): body = verified
    case .failure(let refusal): return .refused(refusal)
    }
    guard case .policy = body.submission else { return .refused(.invalidField("/type")) }
    let begin = ContinuousClock.now
    while true {
      do {
        return try await create(body, id)
      } catch let refused as Refused {
        return .refused(refused.refusal)
      } catch {
        // A second run finds what the first may have committed.
        guard Self.isPassing(error), ContinuousClock.now - begin < CommitPath.retryWindow else {
          throw core.unavailable(error)
        }
      }
    }
  }

  private static func isPassing(_ error: any Error) -> Bool {
    guard let error = error as? PostgresError else { return false }
    return error.isSerializationFailure || error.kind == .connectionLost || error.kind == .outcomeUnknown
  }

  private nonisolated(nonsending) func create(_ body: SubmissionBody, _ id: AppID) async throws -> SubmissionOutcome {
    try await session.transaction { transaction in
      let app = PostgresValue.text(id.text)
      let answers = try await transaction.queryAll([
        (Statements.insertApp, [app, .int8(core.configuration.clock())]),
        (Statements.lockApp, [app]),
        (Statements.policies, [app]),
      ])
      guard let row = answers[1].first else { throw PostgresError(.unexpectedResult, "the new app cannot be read") }
      var policies = AppHistory(app: id)
      for row in answers[2] {
        let entry = try StoredEntry(row)
        guard let opened = entry.opened(app: id) else { throw RegistryCore.tampered(entry.index) }
        policies.append(opened)
      }
      let now = try core.clock.acceptanceTime(notBefore: row.int64(1))
      var judge = BatchJudge(
        app: id, now: now, nextIndex: try row.int64(0), policies: policies, histories: [:],
        keyOwners: [:], usedNonces: [])
      // Of an app that exists, this is not the way to change the policy.
      let decision = judge.decide(body)
      switch decision {
      case .same(let entry): return .repeated(entry.text)
      case .refused(let refusal): throw Refused(refusal: refusal)
      case .accepted(let entry, _):
        if let head = policies.current {
          throw Refused(
            refusal: Refusal(.staleHead, ["head": .text(head.hash.hex), "sequence": .integer(head.sequence)]))
        }
        try await transaction.commit(after: BatchWriting.statements(judge.gain, userCount: 0))
        return .created(entry.text)
      }
    }
  }
}
