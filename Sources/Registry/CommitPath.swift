import KeyRecords
import Logging
import Postgres
import RegistryAPI
import Synchronization

/// The one door into the database: submissions of an app are collected while the previous batch commits, and are judged,
/// stored and committed together (group commit; no wait is added when nothing is under way).
///
/// | a batch ends with | in the database | what is done |
/// |---|---|---|
/// | commit answered | everything | published, then answered |
/// | refused by Postgres, or connection lost before the commit | nothing | once more, within a deadline |
/// | connection lost during the commit | everything or nothing | once more: see ``Batch`` |
/// | no connection, or the deadline | nothing, or unknown | `unavailable`: the client sends it again |
/// | the process killed | everything or nothing | the next start reads what is there |
final class CommitPath: Sendable {
  /// Submissions that may wait, of all apps.
  static let queueLimit = 4_096
  /// Submissions of a batch at most: it is judged while the app is locked.
  static let batchLimit = 256
  /// How long a batch is run again, from its first run on.
  static let retryWindow: Duration = .seconds(5)
  /// As ``retryWindow``, where it is not known whether the batch was committed.
  static let unknownOutcomeWindow: Duration = .seconds(20)
  /// The pause before a batch is run again.
  static let retryPause: Duration = .milliseconds(25)
  /// Connections for transactions: apps are spread over them, so that one that is locked does not stop all.
  static let sessions = 2

  struct Waiting: Sendable {
    let body: SubmissionBody
    let continuation: CheckedContinuation<Result<SubmissionOutcome, RegistryUnavailable>, Never>
  }

  struct Counts: Sendable {
    var accepted = 0
    var repeated = 0
    var refused: [ProblemCode: Int] = [:]
    var unavailable = 0
    var retries = 0
    var sizes = RegistryMetrics.BatchSizes()
  }

  private struct Queue {
    var waiting: [Waiting] = []
    /// Whether somebody works through it.
    var isServed = false
  }

  let core: RegistryCore
  private let follower: Follower
  private let hints: CommitHints
  private let queues = Mutex<[AppID: Queue]>([:])
  private let queued = Atomic<Int>(0)
  private let serving = Mutex<[AppID: Task<Void, Never>]>([:])
  private let counts = Mutex(Counts())

  init(_ core: RegistryCore, follower: Follower) {
    self.core = core
    self.follower = follower
    hints = CommitHints(core)
  }

  /// Waits, once the connections are closed, until everybody who waited has been answered.
  func drain() async {
    for task in serving.withLock({ Array($0.values) }) { await task.value }
  }

  /// The session of an app.
  func session(of app: AppID) -> PostgresSession {
    // Not `hashValue`, which differs between runs and makes faults hard to see again.
    let number = app.text.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff }
    return core.sessions[number % core.sessions.count]
  }

  func addCounts(to metrics: inout RegistryMetrics) {
    let counts = counts.withLock { $0 }
    metrics.accepted = counts.accepted
    metrics.repeated = counts.repeated
    metrics.refused = counts.refused
    metrics.unavailable = counts.unavailable
    metrics.batchRetries = counts.retries
    metrics.batchSizes = counts.sizes
    metrics.queued = queued.load(ordering: .relaxed)
  }

  // MARK: The queue

  nonisolated(nonsending) func submit(
    _ body: SubmissionBody, to memory: AppMemory
  ) async throws(RegistryUnavailable) -> SubmissionOutcome {
    let outcome = await withCheckedContinuation { continuation in
      enqueue(Waiting(body: body, continuation: continuation), memory)
    }
    return try outcome.get()
  }

  private func enqueue(_ waiting: Waiting, _ memory: AppMemory) {
    guard !core.isStopped else { return refuse(waiting, "the registry is stopping") }
    guard queued.add(1, ordering: .relaxed).newValue <= Self.queueLimit else {
      queued.subtract(1, ordering: .relaxed)
      return refuse(waiting, "too many submissions are waiting")
    }
    let mustServe = queues.withLock { queues in
      queues[memory.id, default: Queue()].waiting.append(waiting)
      defer { queues[memory.id]?.isServed = true }
      return queues[memory.id]?.isServed == false
    }
    guard mustServe else { return }
    serving.withLock { serving in
      serving[memory.id] = Task(executorPreference: core.commitLoop) { await self.serve(memory) }
    }
  }

  private func refuse(_ waiting: Waiting, _ reason: String) {
    counts.withLock { $0.unavailable += 1 }
    waiting.continuation.resume(returning: .failure(RegistryUnavailable(reason)))
  }

  private nonisolated(nonsending) func serve(_ memory: AppMemory) async {
    while let batch = next(memory.id) {
      let answers = await run(batch, memory)
      queued.subtract(batch.count, ordering: .relaxed)
      for (waiting, answer) in zip(batch, answers) { waiting.continuation.resume(returning: answer) }
    }
  }

  private func next(_ app: AppID) -> [Waiting]? {
    queues.withLock { queues in
      guard let queue = queues[app], !queue.waiting.isEmpty else {
        queues[app] = nil
        return nil
      }
      let batch = Array(queue.waiting.prefix(Self.batchLimit))
      queues[app]?.waiting.removeFirst(batch.count)
      return batch
    }
  }

  // MARK: A batch

  /// Runs a batch to its end; the answers are in the order of the submissions.
  private nonisolated(nonsending) func run(
    _ waiting: [Waiting], _ memory: AppMemory
  ) async -> [Result<SubmissionOutcome, RegistryUnavailable>] {
    var batch = Batch(bodies: waiting.map(\.body), core: core, memory: memory, hints: hints)
    let begin = ContinuousClock.now
    while true {
      do {
        let outcomes = try await batch.run(on: session(of: memory.id))
        note(outcomes)
        return outcomes.map { .success($0) }
      } catch {
        guard await prepareRetry(after: error, of: &batch, since: begin) else {
          let reason = core.unavailable(error)
          counts.withLock { $0.unavailable += waiting.count }
          return waiting.map { _ in .failure(reason) }
        }
      }
    }
  }

  /// Whether a batch that failed is to be run again; waits a little if so.
  nonisolated(nonsending) func prepareRetry(
    after error: any Error, of batch: inout Batch, since begin: ContinuousClock.Instant
  ) async -> Bool {
    if let behind = error as? Batch.IsBehind {
      guard ContinuousClock.now - begin < Self.retryWindow else { return false }
      return await catchUp(batch.memory, through: behind.index)
    }
    guard let error = error as? PostgresError, !core.isStopped else { return false }
    if error.kind == .outcomeUnknown { batch.noteUnknownOutcome() }
    let isWorthwhile =
      error.isSerializationFailure || error.kind == .connectionLost || (error.isAbsence && batch.isOutcomeUnknown)
    let window = batch.isOutcomeUnknown ? Self.unknownOutcomeWindow : Self.retryWindow
    guard isWorthwhile, ContinuousClock.now - begin < window else { return false }
    counts.withLock { $0.retries += 1 }
    do { try await Task.sleep(for: Self.retryPause) } catch { return false }
    return true
  }

  private nonisolated(nonsending) func catchUp(_ memory: AppMemory, through index: Int64) async -> Bool {
    do {
      try await memory.waitUntilApplied(index) { follower.catchUp(memory) }
      return true
    } catch {
      return false
    }
  }

  private func note(_ outcomes: [SubmissionOutcome]) {
    counts.withLock { counts in
      let before = counts.accepted
      for outcome in outcomes {
        switch outcome {
        case .created: counts.accepted += 1
        case .repeated: counts.repeated += 1
        case .refused(let refusal): counts.refused[refusal.code, default: 0] += 1
        }
      }
      if counts.accepted > before { counts.sizes.add(counts.accepted - before) }
    }
  }
}
