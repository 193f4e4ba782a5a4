import Cryptography
import KeyRecords
import Logging
import Postgres
import Synchronization

/// Uses nonces of members' requests (protocol §8), in the database: of all instances one is told that a nonce is new.
///
/// Those that come while a batch is stored make up the next batch, one statement and one commit for all of them.
final class RequestNonces: Sendable {
  /// Requests that may wait, of all apps; those beyond are refused.
  static let queueLimit = 4_096
  /// Nonces of a batch at most.
  static let batchLimit = 256
  /// Nonces used in an app between two clean-ups.
  static let cleaningInterval = 256
  /// Expired nonces that a clean-up drops at most: more than come between two, so that what was left over goes too.
  static let cleaningLimit: Int64 = 1_024
  /// How long an expired nonce stays, in milliseconds: to an instance whose clock is behind, its request is still fresh.
  static let cleaningDelay = Limits.clockSkew

  private struct Waiting: Sendable {
    let app: AppID
    let digest: Bytes32
    let expires: Milliseconds
    let now: Milliseconds
    let continuation: CheckedContinuation<Result<Bool, RegistryUnavailable>, Never>
  }

  private struct State {
    var waiting: [Waiting] = []
    var serving: Task<Void, Never>?
    /// Nonces used in an app since its last clean-up; the first use of a run cleans up too.
    var usedSinceCleaning: [AppID: Int] = [:]
  }

  private let core: RegistryCore
  private let state = Mutex(State())

  init(_ core: RegistryCore) { self.core = core }

  /// Waits, once the connections are closed, until everybody who waited has been answered.
  func drain() async { await state.withLock { $0.serving }?.value }

  /// True for one caller of all instances.
  nonisolated(nonsending) func use(
    _ request: AccessRequest, in app: AppID, now: Milliseconds
  ) async throws(RegistryUnavailable) -> Bool {
    // User ids hold no line feed, so that nothing can be shifted from one part to the other.
    let digest = SHA256.hash(Array("\(request.signer)\n\(request.nonce)".utf8))
    let expires = request.modified + Limits.clockSkew
    let outcome = await withCheckedContinuation { continuation in
      enqueue(Waiting(app: app, digest: digest, expires: expires, now: now, continuation: continuation))
    }
    return try outcome.get()
  }

  private func enqueue(_ waiting: Waiting) {
    let isTaken = state.withLock { state in
      guard !core.isStopped, state.waiting.count < Self.queueLimit else { return false }
      state.waiting.append(waiting)
      if state.serving == nil {
        state.serving = Task(executorPreference: core.commitLoop) { await self.serve() }
      }
      return true
    }
    guard !isTaken else { return }
    waiting.continuation.resume(returning: .failure(RegistryUnavailable("too many signed requests are waiting")))
  }

  private nonisolated(nonsending) func serve() async {
    while let batch = next() {
      let answers = await run(batch)
      for (waiting, answer) in zip(batch, answers) { waiting.continuation.resume(returning: answer) }
      await cleanUp(batch[0].app, used: batch.count, now: batch[0].now)
    }
  }

  /// The nonces of the app that has waited longest.
  private func next() -> [Waiting]? {
    state.withLock { state in
      guard let app = state.waiting.first?.app else {
        state.serving = nil
        return nil
      }
      var batch: [Waiting] = []
      var others: [Waiting] = []
      for waiting in state.waiting {
        if waiting.app == app, batch.count < Self.batchLimit { batch.append(waiting) } else { others.append(waiting) }
      }
      state.waiting = others
      return batch
    }
  }

  private nonisolated(nonsending) func run(_ batch: [Waiting]) async -> [Result<Bool, RegistryUnavailable>] {
    do throws(RegistryUnavailable) {
      let rows = try await core.change(
        Statements.useRequestNonces,
        [.text(batch[0].app.text), .byteaArray(batch.map(\.digest.bytes)), .int8Array(batch.map(\.expires))])
      // Of the same nonce twice in a batch the first is new.
      var new = Set(try core.unavailable { try rows.map { try $0.bytes(0) } })
      return batch.map { .success(new.remove($0.digest.bytes) != nil) }
    } catch {
      return batch.map { _ in .failure(error) }
    }
  }

  // MARK: Cleaning up

  /// Drops expired nonces of an app from time to time. One that fails is left to the next: nothing depends on it.
  private nonisolated(nonsending) func cleanUp(_ app: AppID, used count: Int, now: Milliseconds) async {
    let isDue = state.withLock { state in
      let used = state.usedSinceCleaning[app].map { $0 + count } ?? Self.cleaningInterval
      state.usedSinceCleaning[app] = used >= Self.cleaningInterval ? 0 : used
      return used >= Self.cleaningInterval
    }
    guard isDue, !core.isStopped else { return }
    do throws(RegistryUnavailable) {
      try await core.change(
        Statements.dropRequestNonces, [.text(app.text), .int8(now - Self.cleaningDelay), .int8(Self.cleaningLimit)])
    } catch {
      core.logger.debug("expired nonces are left for later", metadata: ["app": "\(app)", "reason": "\(error)"])
    }
  }
}
