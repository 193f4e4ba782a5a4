import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryConnection

/// One's own keys in one app: the keystore, open for change, and the history that a registrar shows of them.
///
/// Everything is judged before it is believed: the history by the rules of the protocol and by what the keystore
/// remembers, and what is to be sent by the same rules as the registrar will.
final class OwnKeys {
  let session: KeystoreSession
  let link: RegistrarLink
  /// What the registrar shows; nil while nobody has claimed the id.
  private(set) var known: ResolvedUser?
  /// What happened along the way, for people.
  private(set) var notes: [String] = []
  /// Changes that an earlier command had left, and that are done now.
  private(set) var finished: [KeyChange] = []

  var app: AppID { link.app }
  var keystore: OpenKeystore { session.keystore }
  var id: UserID { keystore.id }

  /// Opens the keystore and looks the user up.
  ///
  /// - Parameters:
  ///   - session: Nil to open the keystore of the options.
  ///   - isDryRun: Whether nothing may be written: leftovers stay as they are.
  ///   - isClaim: Whether somebody may be refused to read who is no member yet.
  ///   - invitation: Sent along with a claim that is sent again.
  static func open<T>(
    _ common: CommonOptions, session given: KeystoreSession? = nil, isDryRun: Bool = false, isClaim: Bool = false,
    invitation: [UInt8]? = nil, _ body: (OwnKeys) async throws -> T
  ) async throws -> T {
    let sealed = try given == nil ? common.store.file.read() : nil
    let app = try common.app(of: sealed)
    let address = try common.registrar(of: sealed, for: app)
    let session = try given ?? common.store.openSession()
    let keystore = session.keystore
    let mark = keystore.state(in: app)?.mark.map { (user: keystore.id, mark: $0) }
    return try await RegistrarLink.open(
      address, app: app, cache: common.cachePlace, mark: mark, member: { session.keystore }
    ) { link in
      let keys = OwnKeys(session: session, link: link)
      do {
        keys.known = try await link.history(of: keystore.id)
      } catch let failure as CommandFailure where isClaim && failure.code == ProblemCode.notAuthorised.rawValue {
        keys.notes.append("\(app) lets only members look, so whether the id is claimed already cannot be seen")
      }
      if !isDryRun {
        // Only now is it known to be a registrar of this app.
        try session.note(address, for: app)
        try await keys.finishLeftovers(invitation: invitation)
        try keys.settle()
      }
      for note in keys.notes { Console.say("note: \(note)") }
      return try await body(keys)
    }
  }

  private init(session: KeystoreSession, link: RegistrarLink) {
    self.session = session
    self.link = link
  }

  // MARK: Looking

  /// Looks the user up again.
  func refresh() async throws { known = try await link.history(of: id) }

  /// Writes down what the history says.
  func settle() throws {
    guard let known, let state = keystore.state(in: app) else { return }
    let current = known.state.currentKey?.publicKey
    let isHeld = current.map { key in keystore.keys.contains { $0.publicKey == key } } ?? false
    let status: AppState.Status
    switch known.state.status {
    case .retired: status = .retired
    case .locked: status = .locked
    case .active, .contested: status = isHeld ? .active : .elsewhere
    }
    let mark = HistoryMark(known, at: link.address)
    guard state.status != status || state.current != (isHeld ? current : nil) || state.mark != mark else { return }
    try session.settle(app, status: status, current: status == .active ? current : nil, mark: mark)
  }

  /// The user's state; a failure while nobody has claimed the id.
  func state() throws -> UserState {
    guard let known else {
      throw CommandFailure(
        "nobody has claimed \(id) in \(app): run peerkey claim first", code: ProblemCode.unknownUser.rawValue)
    }
    return known.state
  }

  /// The right to sign with the key in force.
  func currentSigner() throws -> any RecordSigner {
    let state = try state()
    guard let current = state.currentKey?.publicKey else {
      throw CommandFailure(
        state.status == .retired
          ? "\(id) has ended in \(app): it has no key any more"
          : "no key of \(id) is in force in \(app): it was revoked, run peerkey recover",
        code: state.status == .retired ? ProblemCode.retired.rawValue : ProblemCode.locked.rawValue)
    }
    guard let signer = keystore.recordSigner(for: current) else {
      throw CommandFailure(
        "the key in force in \(app), \(KeyText.short(current)), is not in this keystore: another device of yours has "
          + "changed it, or a thief: see peerkey history, then peerkey recover", code: "key-elsewhere")
    }
    return signer
  }

  // MARK: What earlier commands left

  private func finishLeftovers(invitation: [UInt8]?) async throws {
    for change in keystore.changes where change.app == app {
      if let record = change.record.map({ Array($0.utf8) }) {
        try await finish(change, record, invitation)
      } else if !isUsable(change.draft) {
        try session.abandon(change.number)
        notes.append("\(change.action.rawValue) of \(TimeWords.utc(change.begun)) was never sent, and is dropped")
      }
    }
  }

  private func finish(_ change: KeyChange, _ record: [UInt8], _ invitation: [UInt8]?) async throws {
    let what = "\(change.action.rawValue) of \(TimeWords.utc(change.begun))"
    let hash = RecordHash(of: record)
    if status(of: hash) == nil {
      switch try await link.submit(record, invitation: invitation) {
      case .accepted: try await refresh()
      case .unknown(let trouble): throw trouble.failure("cannot finish the \(what)", at: link.address)
      case .refused(let trouble):
        try session.abandon(change.number)
        let reason = trouble.code?.rawValue ?? "no reason"
        return notes.append("\(what) had not arrived, and is refused now (\(reason)): it is dropped")
      }
    }
    switch status(of: hash)?.status {
    case "effective":
      try session.complete(change.number)
      finished.append(change)
      notes.append("\(what) had not been finished: it is in effect now")
    case "pending":
      if let effective = status(of: hash)?.effective, change.effective == nil {
        try session.accept(change.number, effective: effective)
      }
    case "cancelled", "refused":
      try session.abandon(change.number)
      notes.append("\(what) came to nothing: it was replaced, or lost against a rival")
    default:
      throw CommandFailure(
        "\(link.address) says it accepted the \(what), and does not show it: trust nothing it says until you know why",
        code: "conflict")
    }
  }

  /// What became of a record; nil if it is not in the history.
  func status(of hash: RecordHash) -> UserState.RecordStatus? {
    known?.state.records.first { $0.record == hash }
  }

  /// Whether approvals of a draft can still be of use.
  private func isUsable(_ draft: String?) -> Bool {
    guard let draft = draft.flatMap({ ApprovalRequest(draft: $0) }) else { return false }
    return draft.previous == known?.state.head.hash && draft.modified + Limits.clockSkew > SystemClock().now()
  }
}

extension KeystoreSession {
  /// Notes an app and the address of a registrar of it, the one used last first.
  fileprivate func note(_ address: RegistrarAddress, for app: AppID) throws {
    let noted = keystore.state(in: app)?.registrars
    let text = address.description
    guard noted?.first != text else { return }
    let others = (noted ?? []).filter { $0 != text }
    try addApp(app, registrars: Array(([text] + others).prefix(KeystoreLimits.registrars)))
  }
}

extension HistoryMark {
  /// How far a history went that a registrar has just shown.
  init(_ known: ResolvedUser, at address: RegistrarAddress) {
    let state = known.state
    self.init(
      registrar: address.description, first: state.firstClaim.hash, sequence: state.head.sequence,
      head: state.head.hash, incarnation: state.head.incarnation,
      lastIndex: known.judged.history.entries.last?.index ?? 0, index: known.judged.asOf.index,
      time: known.judged.asOf.time)
  }
}
