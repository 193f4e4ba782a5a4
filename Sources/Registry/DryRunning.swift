import Cryptography
import KeyRecords
import Postgres
import RegistryAPI

/// Judges a submission as a batch would, and stores nothing (protocol §8, `dry-run`).
struct DryRunning: Sendable {
  let core: RegistryCore
  let memory: AppMemory
  let reading: UserReading

  nonisolated(nonsending) func run(
    _ body: SubmissionBody
  ) async throws(RegistryUnavailable) -> Result<DryRunAnswer, Refusal> {
    let (owners, nonces) = try await usedUp(by: body)
    var snapshot: UserSnapshot?
    if let user = body.submission.subject { snapshot = try await reading.user(user) }
    let picture = memory.picture
    let history = snapshot.map { $0.history() }
    var judge = BatchJudge(
      app: memory.id, now: try core.clock.now(notBefore: picture.lastAccepted), nextIndex: picture.index + 1,
      policies: picture.policies, histories: history.map { [$0.subject: $0] } ?? [:],
      policiesOfEntries: [:], keyOwners: owners, usedNonces: nonces)
    switch judge.decide(body) {
    case .refused(let refusal): return .failure(refusal)
    case .same(let entry): return .success(Self.same(entry, in: history, at: judge.now))
    case .accepted(_, let acceptance): return .success(DryRunAnswer(acceptance))
    }
  }

  private nonisolated(nonsending) func usedUp(
    by body: SubmissionBody
  ) async throws(RegistryUnavailable) -> (BatchReading.Owners, Set<[UInt8]>) {
    let app = PostgresValue.text(memory.id.text)
    var owners: BatchReading.Owners = [:]
    var nonces: Set<[UInt8]> = []
    if let key = BatchJudge.key(of: body) {
      let rows = try await core.query(Statements.usedKeys, [app, .byteaArray([key.bytes])])
      owners = try core.unavailable { try BatchReading.owners(rows) }
    }
    if let nonce = BatchJudge.nonce(of: body) {
      let rows = try await core.query(Statements.usedNonces, [app, .byteaArray([nonce])])
      if !rows.isEmpty { nonces = [nonce] }
    }
    return (owners, nonces)
  }

  /// What the entry of a record says: its tier is that of the authority it was built on.
  private static func same(_ entry: Entry, in history: KeyHistory?, at now: Milliseconds) -> DryRunAnswer {
    let base = history?.entries.first { $0.content.hash == entry.record?.previous }?.record
    let tiers = base?.authority.tiers ?? []
    let pending = history?.state(at: now)?.pending
    let isPending = pending?.record == entry.content.hash
    let signer = base?.authority.signerRank
    let isLocked = base?.action == .revoke
    return DryRunAnswer(
      effect: .same, rank: entry.rank, tier: entry.rank.flatMap { tiers.indices.contains($0) ? tiers[$0] : nil },
      effective: entry.effective,
      stoppableBy: isPending ? entry.rank.map { (0...$0).filter { $0 != signer || !isLocked } } : nil)
  }
}
