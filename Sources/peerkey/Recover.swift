import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey recover`
struct Recover: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Bring in a new key with the paper key, or with friends' approvals.",
    discussion: """
      With --paper-key-file, or the paper key typed on the terminal, the identity is back at once. Without it a request \
      is printed: hand it to friends, who run peerkey approve and send back what it prints; run peerkey recover again \
      with an --approval for each. A request is good for about ten minutes: call each other.

      When the keystore is lost, give --id and the path of a new --keystore.

      With --reason compromised, everything that keys of lower rank did from --compromised-since on (or from now on) \
      counts for nothing, and so does what their keys signed. What they changed about who may act is undone too, unless \
      --keep-authority is given.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var paper: PaperInput

  @Option(help: ArgumentHelp("A file with a friend's approval; may be repeated.", valueName: "file"))
  var approval: [String] = []

  @Flag(help: "Ask for friends' approvals; no paper key is asked for.") var request = false

  @Option(help: ArgumentHelp("The tier that is to approve, by its name, such as registrar.", valueName: "name"))
  var tier: String?

  @Option(help: "Why.") var reason: ReasonArgument = .lost

  @Option(
    name: .customLong("compromised-since"),
    help: ArgumentHelp(
      "From when the old key was in wrong hands, as 2026-11-24T10:00:00Z; only with --reason compromised.",
      valueName: "time"))
  var compromisedSince: TimeArgument?

  @Flag(name: .customLong("keep-authority"), help: "Leave who may act as it is.") var keepAuthority = false

  @Option(help: ArgumentHelp("When the new key counts as retired.", valueName: "time")) var expires: TimeArgument?

  @Option(help: ArgumentHelp("The identity, when its keystore is lost: a new keystore is made.", valueName: "user"))
  var id: UserID?

  func validate() throws {
    guard compromisedSince == nil || reason == .compromised else {
      throw ValidationError("--compromised-since goes with --reason compromised")
    }
  }

  func perform() async throws -> Report {
    let answers = try approval.map { try Self.answer($0) }
    let paperKey = try request || !answers.isEmpty || tier != nil ? paper.key() : paper.keyOrAsk()
    let session = try await newSession()
    return try await OwnKeys.open(common, session: session, isDryRun: trial.dryRun) { keys in
      if let done = keys.finishedReport(of: .recover) { return done }
      let plan = try RecoveryPlan(
        keys, policy: try await keys.link.policies()?.current?.rules, tier: tier, paper: paperKey, answers: answers)
      if let paperKey, !trial.dryRun { try keys.session.addPaperKey(paperKey.verifyingKey) }
      if let waiting = plan.waiting { return try await goOn(waiting, plan, keys) }
      guard plan.applyingRank(with: []) == nil else { return try await recover(plan, keys) }
      return try await ask(plan, keys)
    }
  }

  private static func answer(_ path: String) throws -> ApprovalAnswer {
    guard let answer = ApprovalAnswer(text: try TextFile.read(path, limit: CarriedText.maxBytes)) else {
      throw CommandFailure(
        "\(path) holds no approval, or a damaged one: ask for the text again", code: "approval")
    }
    return answer
  }

  /// A keystore for an identity whose own is lost; nil if there is one.
  private func newSession() async throws -> KeystoreSession? {
    do {
      let sealed = try common.store.file.read(id: id)
      return sealed.apps.isEmpty && !trial.dryRun ? try sessionWithApp() : nil
    } catch KeystoreError.notFound where id != nil {
      let app = try common.app()
      guard let id else { return nil }
      // A keystore of somebody who does not exist would only be in the way.
      try await RegistrarLink.open(try common.registrar(for: app), app: app, cache: common.cachePlace) { link in
        guard try await link.history(of: id) != nil else {
          throw CommandFailure("nobody has claimed \(id) in \(app)", code: ProblemCode.unknownUser.rawValue)
        }
      }
      if trial.dryRun { return try ScratchKeystore.session(id: id, app: app) }
      let session = try makeKeystore(id: id)
      try session.addApp(app, registrars: [])
      return session
    }
  }

  private func makeKeystore(id: UserID) throws -> KeystoreSession {
    let slot = NewSlot(
      name: "password", credential: try common.store.newPassword(), parameters: try common.store.parameters())
    try TextFile.makeFolder(of: common.store.path)
    return try common.store.file.create(id: id, key: .generate(), at: SystemClock().now(), slots: [slot])
  }

  private func sessionWithApp() throws -> KeystoreSession {
    let session = try common.store.openSession()
    try session.addApp(try common.app(), registrars: [])
    return session
  }

  // MARK: At once

  private func recover(_ plan: RecoveryPlan, _ keys: OwnKeys) async throws -> Report {
    let head = try keys.state().head
    let terms = try terms(plan, keys)
    let result = try await keys.change(.recover, key: .generated, isDryRun: trial.dryRun) { key, rise in
      guard let key else { throw CommandFailure("there is no new key") }
      let draft = draft(after: head, key: key, rise: rise, terms: terms, now: SystemClock().now())
      return draft.signed(approvals: plan.approvals(of: draft), by: key.signer)
    }
    return keys.report(result, lines: plan.authorityLines(from: head.authority, to: terms.authority))
  }

  private func draft(
    after head: KeyRecord, key: IncomingKey, rise: Int64, terms: RecoveryPlan.Terms, now: Milliseconds
  ) -> Draft {
    var record = RecordDraft(.recover, after: head, now: now)
    record.publicKey = key.publicKey
    record.publicBoxKey = key.publicBoxKey
    record.authority = terms.authority
    record.sourceURL = terms.sourceURL
    record.reason = reason.reason
    record.compromised = compromisedSince?.time
    record.expires = expires?.time
    record.incarnation += rise
    return record.draft
  }

  private func terms(_ plan: RecoveryPlan, _ keys: OwnKeys) throws -> RecoveryPlan.Terms {
    let state = try keys.state()
    guard reason == .compromised, !keepAuthority, let rank = plan.applyingRank(with: []) ?? plan.aimedRank else {
      return RecoveryPlan.Terms(authority: state.head.authority, sourceURL: state.head.sourceURL)
    }
    let boundary = compromisedSince?.time ?? SystemClock().now()
    return plan.terms(before: boundary, keeping: rank, of: state)
  }

  // MARK: With friends

  /// Stores a draft, and asks for approvals of it.
  private func ask(_ plan: RecoveryPlan, _ keys: OwnKeys) async throws -> Report {
    let head = try keys.state().head
    guard !trial.dryRun else { return plan.report(keys, request: nil, lines: plan.missingLines()) }
    let change = try keys.session.begin(.recover, in: keys.app, key: .generated, at: SystemClock().now())
    guard let key = change.publicKey.flatMap({ IncomingKey($0, of: keys.keystore) }) else {
      throw CommandFailure("there is no new key")
    }
    // As late as the registrar takes it, by its own clock: so there is most time for the approvals.
    let now = keys.known?.judged.asOf.time ?? SystemClock().now()
    let draft = draft(
      after: head, key: key, rise: plan.rise, terms: try terms(plan, keys),
      now: now + Limits.clockSkew - Self.margin)
    try keys.session.attach(
      draft: String(decoding: CanonicalJSON.bytes(of: .object(draft.unsigned)), as: UTF8.self), to: change.number)
    let text = String(decoding: CanonicalJSON.bytes(of: .object(draft.unsigned)), as: UTF8.self)
    guard let request = ApprovalRequest(draft: text) else { throw CommandFailure("the draft cannot be read again") }
    return plan.report(keys, request: request, lines: plan.missingLines())
  }

  /// Less than the registrar would take, because its clock may not run evenly.
  private static let margin: Milliseconds = 20_000

  /// Puts the approvals that came to the draft that waits for them.
  private func goOn(_ waiting: RecoveryPlan.Waiting, _ plan: RecoveryPlan, _ keys: OwnKeys) async throws -> Report {
    guard plan.applyingRank(with: [waiting.request.publicKey]) != nil else {
      return plan.report(keys, request: waiting.request, lines: plan.missingLines())
    }
    guard let key = IncomingKey(waiting.request.publicKey, of: keys.keystore) else {
      throw CommandFailure("the new key is not in this keystore any more: run peerkey recover --request again")
    }
    let draft = waiting.request.draft
    let judged = try await keys.judged(draft.signed(approvals: plan.approvals(of: draft), by: key.signer))
    if trial.dryRun { return keys.report(try await keys.tryOut(judged)) }
    return keys.report(try await keys.send(judged.record, judged.acceptance, as: waiting.change))
  }
}
