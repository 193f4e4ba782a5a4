import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

/// The entries of a position once more, this time with signatures, through the form and a client's replay.
struct SignedPath {
  private let world: World
  private let position: Position
  private let cast = Cast.standard
  /// From the stand-ins of the exploration to the hashes of signed records.
  private var hashes: [RecordHash: RecordHash] = [:]
  private var history: KeyHistory

  init(_ world: World, _ position: Position) throws {
    (self.world, self.position) = (world, position)
    history = KeyHistory(app: world.app, subject: world.subject)
    for entry in position.entries { try append(entry) }
  }

  /// Signs what an entry holds, and expects of it what the exploration found.
  private mutating func append(_ explored: Entry) throws {
    let text: [UInt8]
    switch explored.content {
    case .record(let record): text = sign(record)
    case .adjudication(let adjudication): text = try #require(sign(adjudication))
    case .policy: return
    }
    let content = try Submission.verify(text, app: world.app).get()
    hashes[explored.content.hash] = content.hash
    let view = Circumstances.RegistrarView(isKeyUsedElsewhere: false)
    let circumstances = Circumstances(now: explored.accepted, policy: world.policy, registrarView: view)
    guard case .accepted(let acceptance) = judge(content, in: history, at: circumstances) else {
      Issue.record("refused with signatures: entry \(explored.index) after \(position.trail?.text ?? "nothing")")
      return
    }
    #expect(acceptance.rank == explored.rank && acceptance.effective == explored.effective)
    let entry = Entry(
      index: explored.index, accepted: explored.accepted, effective: acceptance.effective, rank: acceptance.rank,
      content: content)
    // As a client gets it.
    let received = try Entry.verify(JSONValue.parseStrict(entry.text), app: world.app).get()
    try history.replay(received, under: world.policy)
  }

  /// The state is that of the exploration but for the hashes.
  func expectSameState() throws {
    let state = try #require(history.state(at: position.now))
    let explored = position.state
    #expect(state.status == explored.status && state.head.hash == hashes[explored.head.hash])
    #expect(state.keys == explored.keys)
    #expect(state.pending?.record == explored.pending.flatMap { hashes[$0.record] })
    #expect(state.records.map(\.status) == explored.records.map(\.status))
    #expect(state.records.map(\.effective) == explored.records.map(\.effective))
    #expect(state.claims == explored.claims?.compactMap { hashes[$0] })
  }

  private func sign(_ record: KeyRecord) -> [UInt8] {
    var fields = RecordDraft(
      claim: record.subject, app: record.app, publicKey: record.publicKey, publicBoxKey: record.publicBoxKey,
      authority: record.authority, modified: record.modified)
    (fields.sequence, fields.action, fields.incarnation) = (record.sequence, record.action, record.incarnation)
    fields.previous = record.previous.flatMap { hashes[$0] }
    (fields.reason, fields.compromised, fields.expires) = (record.reason, record.compromised, record.expires)
    fields.sourceURL = record.sourceURL
    let draft = fields.draft
    let signers = record.approving.map { cast.signingKey(of: $0) }
    if record.action.endsKey, record.approving != [record.publicKey] {
      return draft.signed(approvedBy: signers) ?? []
    }
    let others = signers.filter { $0.verifyingKey != record.publicKey }
    return draft.signed(approvals: others.map { draft.approval(by: $0) }, by: cast.signingKey(of: record.publicKey))
  }

  private func sign(_ adjudication: Adjudication) -> [UInt8]? {
    guard let winner = hashes[adjudication.winner]?.hex else { return nil }
    let draft = Draft([
      "type": "Adjudication", "id": .text("\(adjudication.subject):a\(winner.prefix(Adjudication.idCount))"),
      "app": .text(adjudication.app.text), "subject": .text(adjudication.subject.text), "winner": .text(winner),
      "modified": .integer(adjudication.modified),
    ])
    return draft.signed(approvedBy: adjudication.approving.map { cast.signingKey(of: $0) })
  }
}
