import Cryptography
import KeyRecords
import Glibc
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct RoundTripTests {
  @Test func whatWasWrittenComesBack() throws {
    let folder = try TestFolder()
    let key = SigningKey.generate()
    let paper = PaperKey.generate()
    var written: OpenKeystore
    do {
      let session = try folder.file().makeActive(key: key)
      try session.addApp(forum, registrars: [])
      try session.addPaperKey(paper.verifyingKey)
      try session.noteOriginalClaim(originalClaim(of: key.verifyingKey))
      try session.settle(chat, status: .active, current: key.verifyingKey, mark: mark)
      let change = try session.begin(.rotate, in: chat, key: .generated, at: now + 1)
      try session.attach(draft: #"{"type":"PublicKey"}"#, to: change.number)
      try session.attach(record: #"{"type":"PublicKey"}"#, to: change.number)
      try session.accept(change.number, effective: now + 2)
      written = session.keystore
    }
    let read = try folder.file().unlockCheaply()
    #expect(read.id == alice && read.revision == 11)
    #expect(read.apps == written.apps && read.apps.map(\.app) == [chat, forum])
    #expect(read.state(in: chat)?.registrars == ["https://registrar.example"])
    #expect(read.state(in: chat)?.current == key.verifyingKey)
    #expect(read.state(in: chat)?.mark == mark)
    #expect(read.keys == written.keys && read.keys.count == 2)
    #expect(read.changes == written.changes && read.changes.first?.effective == now + 2)
    #expect(read.originalClaim == written.originalClaim && read.originalClaim != nil)
    #expect(read.paperKeys == [paper.verifyingKey])
    for held in read.keys { #expect(read.contents.signingKey(for: held.publicKey)?.verifyingKey == held.publicKey) }
  }

  @Test func fileIsPrivateAndNothingElseIsLeft() throws {
    let folder = try TestFolder()
    let previous = umask(0)
    defer { umask(previous) }
    _ = try folder.file().makeActive()
    var status = stat()
    try #require(lstat("\(folder.path)/alice.json", &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o600)
    #expect(Set(folder.names) == ["alice.json", ".alice.json.lock"])
    #expect(throws: KeystoreError.alreadyExists(path: "\(folder.path)/alice.json")) { try folder.file().makeActive() }
  }

  @Test func everySlotOpens() throws {
    let folder = try TestFolder()
    let code = RecoveryCode.generate()
    let slots = [slot(), slot(.recoveryCode(code), "paper"), slot(.password(secret("other")), "laptop")]
    _ = try folder.file().makeActive(slots: slots)
    let typed = try RecoveryCode(text: secret(text(code.text).lowercased()))
    #expect(try folder.file().unlockCheaply().openedSlot == "password")
    #expect(try folder.file().unlockCheaply(.recoveryCode(typed)).openedSlot == "paper")
    #expect(try folder.file().unlockCheaply(.password(secret("other"))).openedSlot == "laptop")
    #expect(throws: KeystoreError.wrongPassword) { try folder.file().unlockCheaply(.password(secret("Other"))) }
    #expect(throws: KeystoreError.wrongRecoveryCode) {
      try folder.file().unlockCheaply(.recoveryCode(.generate()))
    }
  }

  @Test func slotsChange() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    #expect(throws: KeystoreError.lastSlot) { try session.removeSlot("password") }
    #expect(throws: KeystoreError.slotExists(name: "password")) { try session.addSlot(slot()) }
    #expect(throws: KeystoreError.unknownSlot(name: "x")) { try session.replaceSlot(slot(password, "x")) }
    #expect(throws: KeystoreError.unknownSlot(name: "x")) { try session.removeSlot("x") }
    #expect(throws: KeystoreError.emptyPassword) { try session.replaceSlot(slot(.password(secret("")))) }
    #expect(throws: KeystoreError.invalidSlotName("A b")) { try session.addSlot(slot(password, "A b")) }
    let long = Credential.password(.random(count: Argon2id.maximumPasswordCount + 1))
    #expect(throws: KeystoreError.passwordTooLong(count: 4_097)) { try session.replaceSlot(slot(long)) }
    let new = Credential.password(secret("battery staple"))
    try session.replaceSlot(slot(new))
    #expect(throws: KeystoreError.wrongPassword) { try folder.file().unlockCheaply() }
    #expect(try folder.file().unlockCheaply(new).keys == session.keystore.keys)
    try session.addSlot(slot(password, "second"))
    try session.removeSlot("password")
    #expect(throws: KeystoreError.wrongPassword) { try folder.file().unlockCheaply(new) }
    #expect(try folder.file().unlockCheaply().openedSlot == "second")
    for number in 1..<KeystoreLimits.slots { try session.addSlot(slot(new, "n\(number)")) }
    #expect(throws: KeystoreError.tooMany("slots", limit: 8)) { try session.addSlot(slot(new, "n8")) }
  }

  /// A new password on the only slot, or a rekey, brings a new data key: old slots are worthless with new contents.
  @Test(arguments: [false, true])
  func dataKeyChanges(rekeys: Bool) throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let before = session.keystore
    let old = try folder.read()
    let new = Credential.password(secret("battery staple"))
    if rekeys {
      try session.rekey(slots: [slot(new), slot(.recoveryCode(.generate()), "paper")])
    } else {
      try session.replaceSlot(slot(new))
    }
    #expect(session.keystore.dataKey != before.dataKey && session.keystore.keys == before.keys)
    let mixed = try forged(try folder.read()) { object in
      let slots = try JSONValue.parseLenient(old).object?["slots"]
      return object.setting("slots", to: try #require(slots))
    }
    try folder.write(mixed)
    #expect(throws: KeystoreError.tampered) { try folder.file().unlockCheaply() }
  }

  @Test func encryptedExportIsTheSameFormat() throws {
    let folder = try TestFolder()
    let export = Credential.password(secret("for the journey"))
    let original = try folder.file().makeActive().keystore
    _ = try folder.file("export.json").create(copying: original, slots: [slot(export, "export")])
    let opened = try folder.file("export.json").unlockCheaply(export)
    #expect(opened.dataKey != original.dataKey)
    #expect(throws: KeystoreError.wrongPassword) { try folder.file("export.json").unlockCheaply() }
    let imported = try folder.file("elsewhere.json").create(copying: opened, slots: [slot()]).keystore
    #expect(imported.keys == original.keys && imported.apps == original.apps && imported.id == alice)
    #expect(imported.contents.seeds == original.contents.seeds)
  }

  /// Fields, base64 and canonical text: what docs/keystore-format.md says, worked out again from the file alone.
  @Test func formatAsDocumented() throws {
    let folder = try TestFolder()
    let key = SigningKey.generate()
    _ = try folder.file().makeActive(key: key)
    let file = try #require(JSONValue.parseStrict(try folder.read()).object)
    let entry = try #require(file["slots"]?.array?.first?.object)
    let hash = try #require(entry["hash"]?.string)
    let salt = try #require(hash.split(separator: "$").last.flatMap { Base64.decodeCanonical("\($0)==") })
    let wrappingKey = try Argon2id.hash(
      password: secret("correct horse"), salt: salt, parameters: Cheap.parameters, outputCount: 32)
    func bytes(_ object: JSONObject, _ name: String) throws -> [UInt8] {
      try #require(object[name]?.string.flatMap { Base64.decodeCanonical($0) })
    }
    let slotData = #"{"hash":"\#(hash)","id":"\#(alice)","kind":"password","name":"password","version":1}"#
    let dataKey = try #require(
      XChaCha20Poly1305.open(
        try bytes(entry, "wrappedKey"), associatedData: Array("peerstack keystore slot\n\(slotData)".utf8),
        nonce: try bytes(entry, "nonce"), key: wrappingKey))
    let clear = CanonicalJSON.bytes(of: .object(file.omitting(["nonce", "sealed", "checksum"])))
    let contents = try #require(
      XChaCha20Poly1305.open(
        try bytes(file, "sealed"), associatedData: Array("peerstack keystore contents\n".utf8) + clear,
        nonce: try bytes(file, "nonce"), key: dataKey))
    contents.withBytes { bytes in
      let count = Int(bytes[0]) << 24 | Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3])
      #expect(bytes.count == 4 + count + 32)
      let seed = SecretBytes(copying: bytes.extracting(last: 32))
      #expect(SigningKey(seed: seed)?.verifyingKey == key.verifyingKey)
      let notes = bytes.extracting(4..<4 + count).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
      let publicKey = Base64.encode(key.verifyingKey.bytes32)
      #expect(
        notes
          == #"{"apps":[{"app":"chat.example","current":"\#(publicKey)","former":[],"mark":null,"recordsAfter":null,"status":"active"}],"#
          + #""changes":[],"claim":null,"keys":[{"created":1790000000000,"publicKey":"\#(publicKey)"}],"nextChange":1,"records":[]}"#
      )
    }
  }

  /// The limits of docs/keystore-format.md are those of the code.
  @Test func documentedLimits() throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = open("/\(root)/docs/keystore-format.md", O_RDONLY)
    try #require(file >= 0)
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = read(file, &buffer, buffer.count)
    let text = String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    func documented(_ number: Int) -> String {
      number < 1_000
        ? "\(number)" : documented(number / 1_000) + "," + "\(number % 1_000 + 1_000)".dropFirst()
    }
    let bounds = Argon2idBounds.standard
    let phrases = [
      "at most \(documented(KeystoreLimits.fileBytes)) bytes", "nested at most \(KeystoreLimits.nesting) deep",
      "1…\(KeystoreLimits.slots) slots", "1…\(KeystoreLimits.slotNameLength) characters",
      "at most \(KeystoreLimits.apps) of `{\"app\"", "at most \(KeystoreLimits.registrars) addresses",
      "at most \(KeystoreLimits.registrarBytes) bytes", "at most \(KeystoreLimits.paperKeys) public keys",
      "at most \(documented(KeystoreLimits.keys)) of", "at most \(KeystoreLimits.changes) changes",
      "1…\(documented(KeystoreLimits.recordBytes)) bytes", "\(KeystoreLimits.saltBytes) are written",
      "beyond \(bounds.maximumMemoryKiB >> 20) GiB, \(Argon2id.maximumPasses) passes, \(Argon2id.maximumLanes) lanes",
      "\(bounds.maximumWorkKiB >> 20) GiB of memory times passes", "below \(bounds.minimumMemoryKiB >> 10) MiB",
      "1…\(documented(Argon2id.maximumPasswordCount)) bytes", "version \(KeystoreLimits.version)",
    ]
    for phrase in phrases { #expect(text.contains(phrase), "\(phrase)") }
  }
}
