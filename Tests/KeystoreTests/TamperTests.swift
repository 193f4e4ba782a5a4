import Cryptography
import KeyRecords
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct TamperTests {
  private func file(_ folder: TestFolder) throws -> [UInt8] {
    let session = try folder.file().makeActive()
    try session.addSlot(slot(.password(secret("second")), "second"))
    _ = try session.begin(.rotate, in: chat, key: .generated, at: now)
    return try folder.read()
  }

  private func unlock(_ bytes: [UInt8]) throws(KeystoreError) -> OpenKeystore {
    try SealedKeystore(parsing: bytes, bounds: Cheap.bounds).unlock(with: password)
  }

  /// What a person has to tell apart: none of it needs a password, and an accident is never called a wrong one.
  @Test func everyFlippedBit() throws {
    let bytes = try file(try TestFolder())
    for index in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[index] ^= 1 << UInt8(bit)
        let error = #expect(throws: KeystoreError.self, "byte \(index) bit \(bit)") { try self.unlock(flipped) }
        #expect(error.map(isAccident) == true, "byte \(index) bit \(bit)")
      }
    }
  }

  /// The same by somebody who makes the checksum fit: no byte of the file is unprotected.
  @Test func everyFlippedBitWithChecksum() throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    let bytes = try folder.read()
    var tried = 0
    for index in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[index] ^= 1 << UInt8(bit)
        guard (try? JSONValue.parseLenient(flipped).object) != nil else { continue }
        let forged = try forged(flipped) { $0 }
        if forged + [UInt8(ascii: "\n")] == bytes { continue }
        tried += 1
        #expect(throws: KeystoreError.self, "byte \(index) bit \(bit)") { try self.unlock(forged) }
      }
    }
    #expect(tried > 1_000)
  }

  @Test func everyTruncation() throws {
    let bytes = try file(try TestFolder())
    for count in 0..<bytes.count - 1 {
      #expect(throws: KeystoreError.truncated(count: count)) { try self.unlock(Array(bytes[..<count])) }
    }
    #expect(throws: Never.self) { try unlock(Array(bytes.dropLast())) }
    #expect(throws: KeystoreError.self) { try unlock([UInt8](repeating: 0, count: bytes.count)) }
  }

  @Test func otherTexts() throws {
    for text in ["null", "[]", "{}", "7", #"{"id":"x","secretKey":"y"}"#, #"{"type":"User"}"#] {
      #expect(throws: KeystoreError.notAKeystore) { try self.unlock(Array(text.utf8)) }
    }
    #expect(throws: KeystoreError.malformed(.unexpectedByte(UInt8(ascii: "h"), offset: 0))) {
      try self.unlock(Array("hello".utf8))
    }
    let deep = Array((String(repeating: "[", count: 100_000)).utf8)
    #expect(throws: KeystoreError.malformed(.tooDeep(offset: 8, limit: 8))) { try self.unlock(deep) }
  }

  @Test(arguments: [0, 2, 3, 9_007_199_254_740_991] as [Int64])
  func versions(version: Int64) throws {
    let bytes = try forged(try file(try TestFolder())) { $0.setting("version", to: .integer(version)) }
    #expect(throws: KeystoreError.unknownVersion(version)) { try unlock(bytes) }
  }

  @Test func fields() throws {
    let bytes = try file(try TestFolder())
    let object = try #require(JSONValue.parseLenient(bytes).object)
    for name in object.names.compactMap(\.string) where name != "type" && name != "checksum" {
      let without = try forged(bytes) { $0.omitting([name]) }
      #expect(throws: KeystoreError.invalidField(pointer: "/\(name)")) { try self.unlock(without) }
      for value in [.null, .bool(true), .text("\u{1b}[2J"), .array([.null]), .integer(-1)] as [JSONValue] {
        let changed = try forged(bytes) { $0.setting(JSONString(name), to: value) }
        let error = #expect(throws: KeystoreError.self) { try self.unlock(changed) }
        #expect(error?.description.contains("\u{1b}") == false)
      }
    }
    let unknown = try forged(bytes) { $0.setting("\u{1b}", to: .null) }
    #expect(throws: KeystoreError.invalidField(pointer: "")) { try unlock(unknown) }
    let unknownInSlot = try forged(bytes) { try $0.changingSlot { $0.setting("x", to: .null) } }
    #expect(throws: KeystoreError.invalidField(pointer: "/slots/0")) { try unlock(unknownInSlot) }
    let doubled = try forged(bytes) { object in
      let slots = try #require(object["slots"]?.array)
      return object.setting("slots", to: .array(slots + slots))
    }
    #expect(throws: KeystoreError.invalidField(pointer: "/slots/2")) { try unlock(doubled) }
    let many = try forged(bytes) { $0.setting("slots", to: .array(Array(repeating: .null, count: 9))) }
    #expect(throws: KeystoreError.invalidField(pointer: "/slots")) { try unlock(many) }
    #expect(throws: KeystoreError.invalidField(pointer: "/slots")) {
      try self.unlock(try forged(bytes) { $0.setting("slots", to: .array([])) })
    }
  }

  /// Cheaper guesses for the next password: the file says less than it was made with.
  @Test func downgraded() throws {
    let strong = Argon2idParameters(memoryKiB: 16, passes: 2, lanes: 1)
    let folder = try TestFolder()
    _ = try folder.file().makeActive(slots: [NewSlot(name: "password", credential: password, parameters: strong)])
    let bytes = try folder.read()
    func withHash(_ from: String, _ to: String) throws -> [UInt8] {
      try forged(bytes) { object in
        try object.changingSlot { slot in
          let hash = slot["hash"]?.string ?? ""
          return slot.setting("hash", to: .text(to + hash.dropFirst(from.count)))
        }
      }
    }
    let weak = try withHash("$argon2id$v=19$m=16,t=2,p=1", "$argon2id$v=19$m=8,t=1,p=1")
    #expect(throws: KeystoreError.wrongPassword) { try unlock(weak) }
    #expect(throws: KeystoreError.parametersTooWeak(Cheap.parameters)) { try SealedKeystore(parsing: weak) }
    #expect(throws: KeystoreError.parametersTooWeak(strong)) { try SealedKeystore(parsing: bytes) }
    for other in ["$argon2i$v=19$", "$argon2d$v=19$", "$argon2id$v=16$", "$argon2id$", "$scrypt$"] {
      let bytes = try withHash("$argon2id$v=19$", other)
      #expect(throws: KeystoreError.unsupportedPasswordHash(pointer: "/slots/0/hash")) { try self.unlock(bytes) }
    }
    #expect(throws: Never.self) { try unlock(bytes) }
  }

  /// A slot that was weakened is noticed with another slot's password.
  @Test func otherSlotChanged() throws {
    let bytes = try file(try TestFolder())
    let changed = try forged(bytes) { object in
      try object.changingSlot { $0.setting("name", to: .text("renamed")) }
    }
    let sealed = try SealedKeystore(parsing: changed, bounds: Cheap.bounds)
    #expect(throws: KeystoreError.wrongPassword) { try sealed.unlock(with: password) }
    #expect(throws: KeystoreError.tampered) { try sealed.unlock(with: .password(secret("second"))) }
    let removed = try forged(bytes) { object in
      object.setting("slots", to: .array(Array(try #require(object["slots"]?.array).dropLast())))
    }
    #expect(throws: KeystoreError.tampered) { try unlock(removed) }
  }

  @Test func swapped() throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    _ = try folder.file("bob.json").makeActive(id: bob)
    let bobs = try folder.read("bob.json")
    try folder.write(bobs)
    #expect(throws: KeystoreError.otherIdentity(expected: alice, found: bob)) {
      try folder.file().unlock(with: password, id: alice, strengtheningTo: nil)
    }
    #expect(throws: KeystoreError.otherIdentity(expected: alice, found: bob)) {
      try folder.file().openSession(with: password, id: alice)
    }
    #expect(throws: KeystoreError.otherApp(expected: forum, found: [chat])) {
      try folder.file().unlock(with: password, app: forum, strengtheningTo: nil)
    }
    // Bob's file under Alice's name, or for another app.
    let renamed = try forged(bobs) { $0.setting("id", to: .text(alice.text)) }
    #expect(throws: KeystoreError.wrongPassword) { try unlock(renamed) }
    let moved = try forged(bobs) { object in
      object.setting("apps", to: .array([.object(["app": .text(forum.text), "registrars": .array([])])]))
    }
    #expect(throws: KeystoreError.tampered) { try unlock(moved) }
  }

  /// Contents of an older version in the file of a newer one, with the same data key.
  @Test func partsOfAnOlderVersion() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let old = try #require(JSONValue.parseLenient(try folder.read()).object)
    try session.addPaperKey(PaperKey.generate().verifyingKey)
    for names in [["nonce", "sealed"], ["paperKeys"], ["revision"]] {
      let mixed = try forged(try folder.read()) { object in
        try names.reduce(object) { $0.setting(JSONString($1), to: try #require(old[$1])) }
      }
      #expect(throws: KeystoreError.tampered) { try self.unlock(mixed) }
    }
  }
}

/// Whether an error says that the file is not what was written.
private func isAccident(_ error: KeystoreError) -> Bool {
  switch error {
  case .damaged, .malformed, .truncated, .notAKeystore, .invalidField: true
  default: false
  }
}
