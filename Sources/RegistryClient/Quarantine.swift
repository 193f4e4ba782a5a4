import Cryptography
public import KeyRecords

/// Objects whose signer was unknown, and what became of them since.
public struct ReleasedObject: Sendable {
  /// The object as it came.
  public let text: [UInt8]
  /// When it came.
  public let received: Milliseconds
  /// Whom it waited for.
  public let signer: UserID
  /// What is decided of it now: anything but `unresolved`.
  public let judgment: ObjectJudgment
  let digest: Bytes32
}

/// Verifies batches, keeps what cannot be judged yet apart, judges it again when a key arrives, and hands it back.
///
/// Objects that wait are neither used nor passed on. One is gone from the store only when the reader of ``released``
/// asks for the one after it: whatever happens in between, it comes again.
public actor Quarantine {
  private let verifier: ObjectVerifier
  private let signers: any SignerResolving
  private let store: any RegistryStore
  private let limits: QuarantineLimits
  private let clock: any ClientClock

  private var ready: [ReleasedObject] = []
  /// Objects that are in `ready`, or with the reader.
  private var handedOut: Set<Bytes32> = []
  /// What the reader has, and is not done with.
  private var inHand: ReleasedObject?
  private var reader: CheckedContinuation<ReleasedObject?, Never>?

  /// A quarantine in a store.
  public init(
    signers: any SignerResolving, store: any RegistryStore, limits: QuarantineLimits = QuarantineLimits(),
    clock: any ClientClock = SystemClock()
  ) {
    verifier = ObjectVerifier(signers: signers, clock: clock)
    self.signers = signers
    self.store = store
    self.limits = limits
    self.clock = clock
  }

  /// What was judged after all, as it comes; for one reader.
  public nonisolated var released: ReleasedObjects { ReleasedObjects(quarantine: self) }

  /// What came of a batch.
  public struct BatchResult: Sendable {
    /// One verdict per object, in their order.
    public let judgments: [ObjectJudgment]
    /// How many objects the quarantine had to drop, these or older ones.
    public let dropped: Int
  }

  /// Judges a batch, and keeps those objects apart whose signer may still become known.
  public func verify(_ objects: [UnverifiedObject], _ lookUp: LookUp = .whenNotFresh) async throws -> BatchResult {
    let judgments = try await verifier.verify(objects, lookUp)
    let now = clock.now()
    let unresolved = zip(objects, judgments).compactMap { object, judgment in
      judgment.awaited.map { QuarantinedObject(text: object.text, signer: $0, received: now) }
    }
    guard !unresolved.isEmpty else { return BatchResult(judgments: judgments, dropped: 0) }
    let dropped = try await store.quarantine(unresolved, limits: limits, now: now)
    // Who became known before the objects were there to be found was announced too early.
    let known = try await signers.resolve(Set(unresolved.map(\.signer)), .known).filter { $0.value.user != nil }
    if !known.isEmpty { try await retry(Set(known.keys)) }
    return BatchResult(judgments: judgments, dropped: dropped)
  }

  /// Judges what waits for these users again, when something new has become known of them, and gives what could be
  /// judged to who reads ``released``.
  public func retry(_ users: Set<UserID>, _ lookUp: LookUp = .whenNotFresh) async throws {
    for object in try await judgeAgain(users, lookUp) where handedOut.insert(object.digest).inserted { hand(object) }
  }

  /// Judges what waits for these users again. What could be judged stays in the store until it is released: for who
  /// does not read ``released``.
  public func judgeAgain(
    _ users: Set<UserID>, _ lookUp: LookUp = .whenNotFresh
  ) async throws -> [ReleasedObject] {
    let objects = try await store.quarantined(by: users).filter { !handedOut.contains($0.digest) }
    guard !objects.isEmpty else { return [] }
    // What came before a key was stolen was seen before it was stolen.
    let unverified = objects.map { UnverifiedObject($0.text, evidence: ObjectEvidence(seen: $0.received)) }
    let judgments = try await verifier.verify(unverified, lookUp)
    var judged: [ReleasedObject] = []
    var moved: [QuarantinedObject] = []
    for (object, judgment) in zip(objects, judgments) {
      if judgment.verdict == .unresolved {
        // It may wait for somebody else now: a user object whose signer is known, and whose user is not.
        if let awaited = judgment.awaited, awaited != object.signer {
          moved.append(QuarantinedObject(text: object.text, signer: awaited, received: object.received))
        }
      } else {
        judged.append(
          ReleasedObject(
            text: object.text, received: object.received, signer: object.signer, judgment: judgment,
            digest: object.digest))
      }
    }
    if !moved.isEmpty { _ = try await store.quarantine(moved, limits: limits, now: clock.now()) }
    return judged
  }

  /// Says that what was judged is done with.
  public func release(_ objects: [ReleasedObject]) async throws {
    try await store.release(Set(objects.map(\.digest)))
  }

  /// Judges everything again, and asks for all signers.
  public func retryAll() async throws {
    try await retry(try await store.quarantinedSigners(), .always)
  }

  /// Follows what becomes known of users until the task is cancelled. Begins with what waits already.
  public func run() async throws {
    let changes = await signers.changes()
    try await retry(try await store.quarantinedSigners())
    for await users in changes { try await retry(users) }
  }

  // MARK: Handing back

  private func hand(_ object: ReleasedObject) {
    if let reader {
      self.reader = nil
      inHand = object
      reader.resume(returning: object)
    } else {
      ready.append(object)
    }
  }

  /// The next object, after the one before is done with. Nil when the task is cancelled, or another reader waits.
  func next(after digest: Bytes32?) async throws -> ReleasedObject? {
    if let digest {
      try await store.release([digest])
      handedOut.remove(digest)
      inHand = nil
    }
    // A reader that gave up did not say that it was done.
    if let inHand { return inHand }
    if !ready.isEmpty {
      inHand = ready.removeFirst()
      return inHand
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled || reader != nil { return continuation.resume(returning: nil) }
        reader = continuation
      }
    } onCancel: {
      Task { await self.stopReading() }
    }
  }

  private func stopReading() {
    reader?.resume(returning: nil)
    reader = nil
  }
}

/// Objects that could be judged after all.
public struct ReleasedObjects: AsyncSequence, Sendable {
  let quarantine: Quarantine

  /// Begins to read.
  public func makeAsyncIterator() -> Iterator { Iterator(quarantine: quarantine) }

  /// Asking for the next object says that the one before is done with.
  public struct Iterator: AsyncIteratorProtocol {
    let quarantine: Quarantine
    private var last: Bytes32?

    init(quarantine: Quarantine) { self.quarantine = quarantine }

    /// The next object, as soon as there is one; nil when the task is cancelled.
    public mutating func next() async throws -> ReleasedObject? {
      let object = try await quarantine.next(after: last)
      last = object?.digest
      return object
    }
  }
}
