import Cryptography
import KeyRecords
import Glibc
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct ChangeTests {
  private let record = #"{"type":"PublicKey","sequence":1}"#

  /// At every point where a process can die, the next one finds the key and what was sent.
  @Test func rotationSurvivesACrashAtEveryStep() throws {
    let folder = try TestFolder()
    let old = SigningKey.generate()
    _ = try folder.file().makeActive(key: old)
    // Each session is dropped without a word: all that is left is the file.
    let change = try folder.file().session().begin(.rotate, in: chat, key: .generated, at: now)
    let new = try #require(change.publicKey)
    var found = try folder.file().unlockCheaply()
    #expect(found.change(change.number) == change && found.state(in: chat)?.current == old.verifyingKey)
    #expect(found.recordSigner(for: new)?.verifyingKey == new)

    try folder.file().session().attach(record: record, to: change.number)
    found = try folder.file().unlockCheaply()
    #expect(found.change(change.number)?.record == record && found.change(change.number)?.effective == nil)

    try folder.file().session().accept(change.number, effective: now + 5)
    found = try folder.file().unlockCheaply()
    #expect(found.change(change.number)?.effective == now + 5 && found.state(in: chat)?.current == old.verifyingKey)

    try folder.file().session().complete(change.number)
    found = try folder.file().unlockCheaply()
    #expect(found.changes.isEmpty && found.state(in: chat)?.current == new)
    #expect(found.state(in: chat)?.former == [old.verifyingKey])
    #expect(found.keys.map(\.publicKey) == [old.verifyingKey, new])
    #expect(throws: KeystoreError.unknownChange(change.number)) { try folder.file().session().complete(change.number) }
  }

  /// The new version was written but never took the old one's place, whole or in part.
  @Test func crashBeforeTheRename() throws {
    let folder = try TestFolder()
    var session: KeystoreSession? = try folder.file().makeActive()
    let before = try folder.read()
    var next = try #require(session?.keystore)
    _ = try next.begin(.rotate, in: chat, key: .generated, at: now)
    let bytes = try next.seal().bytes
    session = nil
    for leftover in [bytes, Array(bytes.prefix(100)), []] {
      try Folder(ofFileAt: "\(folder.path)/alice.json").writeTemporary(leftover)
      #expect(folder.names.contains(".alice.json.new"))
      #expect(try folder.read() == before)
      #expect(try folder.file().unlockCheaply().keys.count == 1)
    }
    session = try folder.file().session()
    try session?.addApp(forum, registrars: [])
    #expect(!folder.names.contains(".alice.json.new"))
    #expect(try folder.file().unlockCheaply().apps.count == 2)
  }

  /// A crash after the rename is a change that was made: its caller was never told, but nothing is lost.
  @Test func crashAfterTheRename() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    var next = session.keystore
    let change = try next.begin(.rotate, in: chat, key: .generated, at: now)
    try Folder(ofFileAt: "\(folder.path)/alice.json").replace(with: try next.seal().bytes)
    #expect(try folder.file().unlockCheaply().changes == [change])
    #expect(throws: KeystoreError.changedOnDisk(path: "\(folder.path)/alice.json")) {
      try session.begin(.rotate, in: chat, key: .generated, at: now)
    }
  }

  @Test func abandonedKeysStay() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let first = try session.begin(.rotate, in: chat, key: .generated, at: now)
    try session.abandon(first.number)
    let second = try session.begin(.recover, in: chat, key: .generated, at: now)
    #expect(second.number == 2 && second.publicKey != first.publicKey)
    let found = try folder.file().unlockCheaply()
    #expect(found.keys.count == 3 && found.changes == [second])
    // The registrar had taken the record after all.
    let key = try #require(first.publicKey)
    try session.settle(chat, status: .active, current: key)
    #expect(try folder.file().unlockCheaply().state(in: chat)?.current == key)
  }

  @Test func whatActionsDo() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let first = try #require(session.keystore.state(in: chat)?.current)
    func run(_ action: KeyRecord.Action) throws -> AppState {
      let change = try session.begin(action, in: chat, key: action.bringsKey ? .generated : nil, at: now)
      try session.complete(change.number)
      return try #require(session.keystore.state(in: chat))
    }
    #expect(try run(.amend).current == first)
    let revoked = try run(.revoke)
    #expect(revoked.status == .locked && revoked.current == nil && revoked.former == [first])
    let recovered = try run(.recover)
    #expect(recovered.status == .active && recovered.current != nil && recovered.former == [first])
    let retired = try run(.retire)
    #expect(retired.status == .retired && retired.former.count == 2)
    #expect(throws: SigningError.noKeyInForce(app: chat)) { try session.keystore.sign("hello", app: chat) }
    try session.settle(chat, status: .active, current: first)
    #expect(session.keystore.state(in: chat)?.former == [try #require(recovered.current)])
    try session.settle(chat, status: .elsewhere, current: nil)
    #expect(session.keystore.state(in: chat)?.former.count == 2)
  }

  /// The first key claims a further app, whatever is in force in the first one.
  @Test func claimsInFurtherApps() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let first = try #require(session.keystore.state(in: chat)?.current)
    try session.complete(try session.begin(.rotate, in: chat, key: .generated, at: now).number)
    try session.addApp(forum, registrars: ["https://a.example"])
    let claim = try session.begin(.claim, in: forum, key: .held(first), at: now)
    #expect(claim.publicKey == first && session.keystore.keys.count == 2)
    try session.complete(claim.number)
    try session.addApp(forum, registrars: ["https://b.example"])
    let found = try folder.file().unlockCheaply()
    #expect(found.state(in: forum)?.current == first && found.state(in: chat)?.current != first)
    #expect(found.state(in: forum)?.registrars == ["https://b.example"])
  }

  @Test func refusals() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let stranger = SigningKey.generate().verifyingKey
    func expect(_ error: KeystoreError, _ body: () throws -> Void) { #expect(throws: error) { try body() } }
    expect(.unknownApp(appID("x.example"))) {
      _ = try session.begin(.revoke, in: appID("x.example"), key: nil, at: now)
    }
    expect(.invalidChange("rotate needs a key")) { _ = try session.begin(.rotate, in: chat, key: nil, at: now) }
    expect(.invalidChange("revoke brings no key")) {
      _ = try session.begin(.revoke, in: chat, key: .generated, at: now)
    }
    expect(.invalidChange("-1 is no time")) { _ = try session.begin(.revoke, in: chat, key: nil, at: -1) }
    expect(.unknownKey(stranger)) { _ = try session.begin(.claim, in: chat, key: .held(stranger), at: now) }
    expect(.unknownKey(stranger)) { try session.settle(chat, status: .active, current: stranger) }
    expect(.invalidChange("active needs a key")) { try session.settle(chat, status: .active, current: nil) }
    expect(.invalidRegistrar("https://a b")) { try session.addApp(appID("x.example"), registrars: ["https://a b"]) }
    expect(.unknownKey(stranger)) {
      try session.noteOriginalClaim(originalClaim(of: stranger))
    }
    let change = try session.begin(.revoke, in: chat, key: nil, at: now)
    expect(.invalidChange("a draft has 1 to 8192 bytes")) { try session.attach(draft: "", to: change.number) }
    expect(.invalidChange("no record was attached")) { try session.accept(change.number, effective: now) }
    expect(.invalidChange("a record has 1 to 8192 bytes")) {
      try session.attach(record: String(repeating: "x", count: 8_193), to: change.number)
    }
    try session.attach(record: "x", to: change.number)
    expect(.invalidChange("its record is signed already")) { try session.attach(draft: "x", to: change.number) }
    for _ in 1..<KeystoreLimits.changes { _ = try session.begin(.revoke, in: chat, key: nil, at: now) }
    expect(.tooMany("changes", limit: 16)) { _ = try session.begin(.revoke, in: chat, key: nil, at: now) }
  }

  /// The largest keystore there can be fits into the largest file.
  @Test func largestKeystoreFits() throws {
    let folder = try TestFolder()
    var keystore = try folder.file().makeActive().keystore
    for number in 1..<KeystoreLimits.apps {
      let registrars = Array(repeating: String(repeating: "r", count: 512), count: 8)
      try keystore.addApp(appID("app\(number).example"), registrars: registrars)
    }
    while keystore.keys.count < KeystoreLimits.keys { try keystore.addKey(.generate(), created: now) }
    for _ in 0..<KeystoreLimits.changes {
      let change = try keystore.begin(.revoke, in: chat, key: nil, at: now)
      _ = try keystore.attach(String(repeating: "\"", count: KeystoreLimits.recordBytes), to: change.number)
    }
    #expect(throws: KeystoreError.tooMany("keys", limit: 1_024)) { try keystore.addKey(.generate(), created: now) }
    let bytes = try keystore.seal().bytes
    #expect(bytes.count <= KeystoreLimits.fileBytes)
    let read = try SealedKeystore(parsing: bytes, bounds: Cheap.bounds).unlock(with: password)
    #expect(read.keys == keystore.keys && read.changes == keystore.changes && read.apps == keystore.apps)
  }

  @Test func oldBoxesStillOpen() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let sender = SigningKey.generate()
    let senderKey = JSONString(Base64.encode(sender.boxKey.publicKey.bytes32))
    func box(_ text: String) throws -> PeerstackBox {
      let recipient = try #require(session.keystore.boxKey(in: chat)?.publicKey)
      return try PeerstackBox(
        sealing: JSONString(utf16: PeerstackWire.text(of: .text(text)).map { UInt16($0) }), from: JSONString(bob.text),
        with: sender.boxKey,
        to: JSONString(Base64.encode(recipient.bytes32)))
    }
    var boxes = [try box("first")]
    for text in ["second", "third"] {
      try session.complete(try session.begin(.rotate, in: chat, key: .generated, at: now).number)
      boxes.append(try box(text))
    }
    let opened = try folder.file().unlockCheaply()
    #expect(Set(opened.boxKeys.map(\.publicKey)).count == 3)
    for (box, text) in zip(boxes, ["first", "second", "third"]) {
      #expect(try opened.open(box, from: senderKey) == .value(.text(text)))
    }
    let stranger = try folder.file("bob.json").makeActive(id: bob).keystore
    #expect(throws: PeerstackBox.Failure.notVerified) { try stranger.open(boxes[0], from: senderKey) }
  }
}
