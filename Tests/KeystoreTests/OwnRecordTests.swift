import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

/// What a keystore keeps of the records that it made.
struct OwnRecordTests {
  private static func hash(_ record: String) -> RecordHash { RecordHash(of: Array(record.utf8)) }

  @Test func everyRecordIsNotedBeforeItIsSentAndForGood() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    for (name, isKept) in [("one", true), ("two", false)] {
      let change = try session.begin(.amend, in: chat, key: nil, at: now)
      try session.attach(record: name, to: change.number)
      #expect(session.keystore.accountsFor(Self.hash(name), at: 9, in: chat))
      if isKept { try session.complete(change.number) } else { try session.abandon(change.number) }
    }
    let keystore = session.keystore
    #expect(keystore.records == [Self.hash("one"), Self.hash("two")])
    #expect(!keystore.accountsFor(Self.hash("three"), at: 9, in: chat))
    #expect(keystore.state(in: chat)?.recordsAfter == -1, "there was nothing before")
  }

  /// Entries that were there at the first look say nothing about who made them; later ones do.
  @Test func whatWasThereBeforeIsNobodys() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let key = try #require(session.keystore.state(in: chat)?.current)
    try session.settle(chat, status: .active, current: key, mark: mark)
    var later = mark
    later.lastIndex = mark.lastIndex + 5
    try session.settle(chat, status: .active, current: key, mark: later)
    let keystore = session.keystore
    #expect(keystore.state(in: chat)?.recordsAfter == mark.lastIndex)
    #expect(keystore.accountsFor(Self.hash("old"), at: mark.lastIndex, in: chat))
    #expect(!keystore.accountsFor(Self.hash("new"), at: mark.lastIndex + 1, in: chat))
    #expect(!keystore.accountsFor(Self.hash("old"), at: 0, in: forum))
  }

  /// Made with another copy of the keystore, by the same person.
  @Test func whatTheOwnerAcknowledgesIsTheirsForGood() throws {
    let folder = try TestFolder()
    do {
      let session = try folder.file().makeActive()
      let key = try #require(session.keystore.state(in: chat)?.current)
      try session.settle(chat, status: .active, current: key, mark: mark)
      #expect(throws: KeystoreError.self) { try session.acknowledge([Self.hash("tablet")], in: forum) }
      try session.acknowledge([Self.hash("tablet"), Self.hash("phone"), Self.hash("tablet")], in: chat)
      #expect(session.keystore.records == [Self.hash("tablet"), Self.hash("phone")])
    }
    let keystore = try folder.file().unlockCheaply()
    for name in ["tablet", "phone"] {
      #expect(keystore.accountsFor(Self.hash(name), at: mark.lastIndex + 1, in: chat))
    }
    #expect(!keystore.accountsFor(Self.hash("thief"), at: mark.lastIndex + 1, in: chat))
  }

  @Test func theOldestAreForgotten() throws {
    var keystore = try OpenKeystore(id: alice, slots: [slot()], bounds: Cheap.bounds)
    try keystore.addApp(chat, registrars: [])
    for number in 0...KeystoreLimits.ownRecords {
      let change = try keystore.begin(.amend, in: chat, key: nil, at: now)
      _ = try keystore.attach("record \(number)", to: change.number)
      try keystore.abandon(change.number)
    }
    #expect(keystore.records.count == KeystoreLimits.ownRecords)
    #expect(!keystore.accountsFor(Self.hash("record 0"), at: 0, in: chat))
    #expect(keystore.accountsFor(Self.hash("record 1"), at: 0, in: chat))
    #expect(try keystore.seal().bytes.count < KeystoreLimits.fileBytes)
  }

  /// Files from before have neither member; they open, and begin with what they have seen.
  @Test func filesFromBeforeOpen() throws {
    var header = Header(id: alice)
    header.apps = [try Header.App(app: chat, registrars: [])]
    var contents = Contents()
    contents.apps = [AppState(app: chat, registrars: [])]
    contents.apps[0].mark = mark
    let notes = try Self.notes(contents)
    var apps = try #require(notes["apps"]?.array).compactMap(\.object)
    apps[0] = apps[0].omitting(["recordsAfter"])
    let before = notes.omitting(["records"]).setting("apps", to: .array(apps.map { .object($0) }))
    #expect(before != notes)
    let old = try Contents(Self.plaintext(before), header: header)
    #expect(old.records.isEmpty && old.apps[0].recordsAfter == nil)
    let keystore = OpenKeystore(header: header, contents: old, dataKey: .random(count: 32), openedSlot: "a")
    #expect(keystore.accountsFor(Self.hash("seen"), at: mark.lastIndex, in: chat))
    #expect(!keystore.accountsFor(Self.hash("new"), at: mark.lastIndex + 1, in: chat))
    for bad: JSONValue in [["x"], [.text(Self.hash("a").hex), .text(Self.hash("a").hex)], "x"] {
      #expect(throws: KeystoreError.self) {
        try Contents(Self.plaintext(notes.setting("records", to: bad)), header: header)
      }
    }
  }

  private static func notes(_ contents: Contents) throws -> JSONObject {
    let bytes = contents.plaintext.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
    return try #require(JSONValue.parseStrict(Array(bytes.dropFirst(4))).object)
  }

  private static func plaintext(_ notes: JSONObject) -> SecretBytes {
    let text = CanonicalJSON.bytes(of: .object(notes))
    let length = stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: text.count >> $0) }
    return SecretBytes(copying: length + text)
  }

  // MARK: Requests of members

  @Test func authorizationIsARequestOfTheKeyInForce() throws {
    let folder = try TestFolder()
    let key = SigningKey.generate()
    let session = try folder.file().makeActive(key: key)
    let target = "/apps/chat.example/resolve?x=y"
    func request() throws -> AccessRequest {
      let value = try #require(session.keystore.authorization(app: chat, method: "POST", target: target, at: now))
      let encoded = try #require(value.split(separator: " ").last)
      let text = try #require(Base64.decodeCanonical(String(encoded)))
      #expect(value.hasPrefix("Peerstack "))
      return try AccessRequest.read(text).get()
    }
    let first = try request()
    #expect(first.isSigned(by: key.verifyingKey) && first.isFresh(at: now))
    #expect(first.app == chat && first.signer == alice && first.method == "POST" && first.target == target)
    #expect(try request().nonce != first.nonce)
    #expect(session.keystore.authorization(app: forum, method: "GET", target: "/", at: now) == nil)
    // A rotation that was sent may be in force already.
    let change = try session.begin(.rotate, in: chat, key: .generated, at: now)
    #expect(try request().isSigned(by: key.verifyingKey))
    try session.attach(record: "record", to: change.number)
    let incoming = try #require(change.publicKey)
    #expect(try request().isSigned(by: incoming))
  }
}
