import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// The key that a record brings in.
struct IncomingKey {
  let publicKey: VerifyingKey
  let publicBoxKey: PublicBoxKey
  let signer: any RecordSigner

  init(_ key: SigningKey) {
    publicKey = key.verifyingKey
    publicBoxKey = key.boxKey.publicKey
    signer = key
  }

  /// A key of a keystore; nil if it is not there.
  init?(_ publicKey: VerifyingKey, of keystore: OpenKeystore) {
    guard let signer = keystore.recordSigner(for: publicKey), let box = keystore.publicBoxKey(for: publicKey) else {
      return nil
    }
    self.publicKey = publicKey
    self.publicBoxKey = box
    self.signer = signer
  }
}

/// What came of a record.
struct ChangeResult {
  /// What the rules say of it.
  let acceptance: Acceptance
  /// The record.
  let record: KeyRecord
  /// Its entry; nil for what was only tried.
  let entry: Entry?
  /// What became of it; nil for what was only tried.
  let status: UserState.RecordStatus?

  /// Whether it was accepted and is not in effect yet.
  var isPending: Bool { status.map { $0.status != "effective" } ?? false }
}

extension OwnKeys {
  /// How a record is built: given the key it brings in, and how much `incarnation` rises.
  typealias Build = (_ key: IncomingKey?, _ rise: Int64) throws -> [UInt8]

  /// Makes a change: a key for it is stored, the record is built, judged, stored and only then sent.
  ///
  /// - Parameter key: Where the key comes from, exactly for actions that bring one in.
  func change(
    _ action: KeyRecord.Action, key source: KeyChange.KeySource? = nil, isDryRun: Bool, invitation: [UInt8]? = nil,
    build: Build
  ) async throws -> ChangeResult {
    if isDryRun { return try await tryOut(try await judged(build, try trialKey(source)), invitation) }
    let change = try session.begin(action, in: app, key: source, at: SystemClock().now())
    do {
      let incoming = change.publicKey.flatMap { IncomingKey($0, of: keystore) }
      let (record, acceptance) = try await judged(build, incoming)
      return try await send(record, acceptance, as: change, invitation)
    } catch {
      // What was built and not stored was not sent either.
      if keystore.change(change.number)?.record == nil { try? session.abandon(change.number) }
      throw error
    }
  }

  /// A key for a trial, which is not kept.
  func trialKey(_ source: KeyChange.KeySource?) throws -> IncomingKey? {
    switch source {
    case nil: nil
    case .generated: IncomingKey(.generate())
    case .held(let key): IncomingKey(key, of: keystore)
    }
  }

  /// Asks the registrar what would happen to a record, and holds that against what the rules say here.
  func tryOut(
    _ judged: (record: KeyRecord, acceptance: Acceptance), _ invitation: [UInt8]? = nil
  ) async throws -> ChangeResult {
    let answer = try await link.dryRun(judged.record.canonical, invitation: invitation)
    guard answer["effect"]?.string == judged.acceptance.effect.rawValue,
      answer["rank"]?.integer == judged.acceptance.rank.map(Int64.init)
    else {
      throw CommandFailure(
        "\(link.address) would treat the record otherwise than the rules say: do not trust it", code: "conflict")
    }
    return ChangeResult(acceptance: judged.acceptance, record: judged.record, entry: nil, status: nil)
  }

  /// Builds a record and judges it by the rules, under the policy that the registrar shows.
  func judged(_ build: Build, _ key: IncomingKey?) async throws -> (record: KeyRecord, acceptance: Acceptance) {
    do {
      return try await judged(try build(key, 0))
    } catch let failure as CommandFailure where failure.facts["pointer"]?.string == "/incarnation" {
      // After an adjudication, and by the app's admins: only the rules know.
      return try await judged(try build(key, 1))
    }
  }

  /// Judges a record by the rules.
  func judged(_ text: [UInt8]) async throws -> (record: KeyRecord, acceptance: Acceptance) {
    let record: KeyRecord
    switch Submission.verify(text, app: app) {
    case .success(.record(let verified)): record = verified
    case .success: throw CommandFailure("this is no key record")
    case .failure(let refusal): throw Self.failure(refusal)
    }
    guard let policy = try await link.policies()?.current else {
      throw CommandFailure("\(link.address) shows no policy of \(app): check the app's id", code: "unknown-app")
    }
    let history = known?.judged.history ?? KeyHistory(app: app, subject: id)
    let now = max(SystemClock().now(), known?.judged.asOf.time ?? 0)
    switch judge(
      .record(record), in: history, at: Circumstances(now: now, policy: policy.rules, registrarView: nil))
    {
    case .accepted(let acceptance): return (record, acceptance)
    case .same: throw CommandFailure("this record was accepted before", code: "same")
    case .refused(let refusal): throw Self.failure(refusal)
    }
  }

  /// Stores a record, sends it, and follows what comes of it.
  func send(
    _ record: KeyRecord, _ acceptance: Acceptance, as change: KeyChange, _ invitation: [UInt8]? = nil
  ) async throws -> ChangeResult {
    try session.attach(record: String(decoding: record.canonical, as: UTF8.self), to: change.number)
    let what = "\(change.action.rawValue) \(id) in \(app)"
    switch try await link.submit(record.canonical, invitation: invitation) {
    case .refused(let trouble):
      try session.abandon(change.number)
      if trouble.code == .staleHead { throw try await staleHead(what) }
      throw trouble.failure("cannot \(what)", at: link.address)
    case .unknown(let trouble):
      let failure = trouble.failure(
        "cannot say whether the registrar took the \(change.action.rawValue)", at: link.address)
      throw CommandFailure(
        "\(failure.description); the next command finds out and finishes it", code: failure.code, facts: failure.facts,
        status: failure.status)
    case .accepted(let entry):
      if let effective = entry.effective { try session.accept(change.number, effective: effective) }
      try await refresh()
      guard let status = status(of: record.hash) else {
        throw CommandFailure(
          "\(link.address) accepted the record, and does not show it: do not trust it", code: "conflict")
      }
      if status.status == "effective" { try session.complete(change.number) }
      try settle()
      return ChangeResult(acceptance: acceptance, record: record, entry: entry, status: status)
    }
  }

  /// Another device was faster: what it did, and what to do.
  private func staleHead(_ what: String) async throws -> CommandFailure {
    try await refresh()
    try settle()
    guard let state = known?.state else { return CommandFailure("cannot \(what)", code: "stale-head") }
    let head = state.head
    let isOwn = keystore.recordSigner(for: head.publicKey) != nil
    return CommandFailure(
      "cannot \(what): the keys were changed meanwhile (\(head.action.rawValue), record \(head.sequence), "
        + "\(isOwn ? "a key of this keystore" : "a key that is not in this keystore")): look at peerkey history, "
        + "then run the command again", code: ProblemCode.staleHead.rawValue,
      facts: ["head": .text(head.hash.hex), "sequence": .integer(head.sequence)])
  }

  /// A refusal by our own judgment, which is the registrar's too.
  static func failure(_ refusal: Refusal) -> CommandFailure {
    let problem = Problem(refusal)
    let words = refusal.facts.members.map { name, value in
      "\(name.string ?? "") \(String(decoding: CanonicalJSON.bytes(of: value), as: UTF8.self))"
    }
    let tail = words.isEmpty ? "" : " (\(words.joined(separator: ", ")))"
    return CommandFailure(
      "the rules refuse it: \(refusal.code.rawValue): \(problem.detail)\(tail)", code: refusal.code.rawValue,
      facts: refusal.facts)
  }
}
