import Cryptography
import KeyRecords
import PeerstackFormat

/// Judges signed objects, whole sync batches at once: unknown signers are looked up in one go, signatures are verified
/// on all cores, and the verdicts come in the order of the objects.
public struct ObjectVerifier: Sendable {
  /// Objects worth a task of their own.
  private static let piece = 64

  private let signers: any SignerResolving
  private let clock: any ClientClock

  /// A verifier that takes keys from `signers` and nowhere else.
  public init(signers: any SignerResolving, clock: any ClientClock = SystemClock()) {
    self.signers = signers
    self.clock = clock
  }

  /// One verdict per object, in their order. Throws only when the task is cancelled.
  public func verify(
    _ objects: [UnverifiedObject], _ lookUp: LookUp = .whenNotFresh
  ) async throws(CancellationError) -> [ObjectJudgment] {
    let read = await Self.inPieces(objects) { piece in
      var reader = SignedObjectReader()
      return piece.map { ReadObject($0, with: &reader) }
    }
    var users: Set<UserID> = []
    for object in read { users.formUnion(object.users) }
    let resolutions = users.isEmpty ? [:] : try await signers.resolve(users, lookUp)
    let now = clock.now()
    let judgments = await Self.inPieces(read) { piece in piece.map { Self.judge($0, resolutions, now: now) } }
    guard !Task.isCancelled else { throw CancellationError() }
    return judgments
  }

  /// Judges one object.
  public func verify(
    _ object: UnverifiedObject, _ lookUp: LookUp = .whenNotFresh
  ) async throws(CancellationError) -> ObjectJudgment {
    try await verify([object], lookUp)[0]
  }

  private static func inPieces<Input: Sendable, Output: Sendable>(
    _ inputs: [Input], _ work: @escaping @Sendable (ArraySlice<Input>) -> [Output]
  ) async -> [Output] {
    guard inputs.count > piece else { return work(inputs[...]) }
    return await withTaskGroup(of: (Int, [Output]).self) { group in
      for start in stride(from: 0, to: inputs.count, by: piece) {
        group.addTask { (start, work(inputs[start..<min(start + piece, inputs.count)])) }
      }
      var pieces: [(Int, [Output])] = []
      for await result in group { pieces.append(result) }
      return pieces.sorted { $0.0 < $1.0 }.flatMap(\.1)
    }
  }

  private static func judge(
    _ object: ReadObject, _ resolutions: [UserID: Resolution], now: Milliseconds
  ) -> ObjectJudgment {
    var judgment = signatureJudgment(object, resolutions, now: now)
    if let keys = object.namedKeys, judgment.verdict == .valid || judgment.verdict == .suspect {
      check(keys, resolutions, &judgment)
    }
    judgment.id = object.id
    judgment.signer = object.signer
    judgment.hash = object.hash
    return judgment
  }

  private static func signatureJudgment(
    _ object: ReadObject, _ resolutions: [UserID: Resolution], now: Milliseconds
  ) -> ObjectJudgment {
    if let fault = object.fault { return ObjectJudgment(.invalid, fault) }
    guard object.signer != nil else { return ObjectJudgment(.invalid, "it names no signer") }
    guard let user = object.user else { return ObjectJudgment(.unresolved, "the signer is no user id") }
    switch resolutions[user] ?? .unavailable("the signer was not looked up") {
    case .user(let user): return judge(object, user, now: now)
    case let other: return unjudged(other, user, "the signer")
    }
  }

  /// The verdict where keys are missing.
  private static func unjudged(_ resolution: Resolution, _ user: UserID, _ whose: String) -> ObjectJudgment {
    func waiting(_ reason: String) -> ObjectJudgment {
      var judgment = ObjectJudgment(.unresolved, reason)
      judgment.awaited = user
      return judgment
    }
    switch resolution {
    case .user: return ObjectJudgment(.unresolved, "\(whose) was not looked up")
    case .unknown: return waiting("\(whose) is unknown")
    case .unavailable(let reason): return waiting("\(whose) cannot be looked up now: \(reason)")
    case .expired: return waiting("what is known of \(whose) is too old, and it cannot be looked up now")
    case .conflict(let conflict):
      var judgment = ObjectJudgment(.conflict, "\(whose) is in conflict: \(conflict.reason)")
      judgment.conflict = conflict
      return judgment
    }
  }

  private static func judge(_ object: ReadObject, _ user: ResolvedUser, now: Milliseconds) -> ObjectJudgment {
    var judgment: ObjectJudgment
    if let signature = object.signature, let hash = object.hash {
      let judged = user.state.judgeObject(
        modified: object.modified, evidence: object.evidence, now: max(now, user.judged.asOf.time)
      ) { PeerstackSignature.verify(signature: signature, hash: hash, publicKey: $0).isAccepted }
      judgment = ObjectJudgment(Self.verdict(judged.verdict), judged.reason)
      judgment.key = judged.key
    } else {
      judgment = ObjectJudgment(.invalid, "it has no signature")
    }
    judgment.isBound = user.isBound
    judgment.isUnconfirmed = !user.isConfirmed || user.hintedUpdate != nil
    judgment.freshness = user.freshness
    return judgment
  }

  private static func verdict(_ verdict: ObjectVerdict) -> ObjectJudgment.Verdict {
    switch verdict {
    case .valid: .valid
    case .suspect: .suspect
    case .invalid: .invalid
    }
  }

  /// A `User` object teaches no key: those that it names must be its own id's.
  private static func check(
    _ keys: ReadObject.NamedKeys, _ resolutions: [UserID: Resolution], _ judgment: inout ObjectJudgment
  ) {
    guard let id = keys.user else {
      if keys.publicKey != .absent || keys.publicBoxKey != .absent {
        judgment = ObjectJudgment(.invalid, "a user object with keys whose id is no user id")
      }
      return
    }
    switch resolutions[id] ?? .unavailable("the user was not looked up") {
    case .user(let user):
      guard let reason = keys.contradiction(with: user.state) else { return }
      judgment.verdict = .conflict
      judgment.reason = reason
      judgment.conflict = Conflict(
        .userKeys, reason,
        evidence: [Evidence(source: user.registrar ?? "peer", entries: user.judged.evidence)])
    case let other: judgment = unjudged(other, id, "the user that the object describes")
    }
  }
}
