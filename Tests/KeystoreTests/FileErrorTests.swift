import Cryptography
import KeyRecords
import Glibc
import PeerstackFormat
import Testing

@testable import Keystore

@Suite struct FileErrorTests {
  @Test func missing() throws {
    let folder = try TestFolder()
    let path = "\(folder.path)/alice.json"
    #expect(throws: KeystoreError.notFound(path: path)) { try folder.file().unlockCheaply() }
    #expect(throws: KeystoreError.notFound(path: path)) { try folder.file().session() }
    #expect(folder.names.isEmpty)
    #expect(throws: KeystoreError.system(step: "open the folder of", path: "/nowhere/x", code: ENOENT)) {
      try KeystoreFile(path: "/nowhere/x").read()
    }
    for path in ["", "/", "a/", "a/..", ".", "a\0b", String(repeating: "x", count: 241)] {
      #expect(throws: KeystoreError.invalidPath(path)) { try KeystoreFile(path: path).read() }
    }
  }

  @Test func linksAndOtherThingsThanFiles() throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    let link = "\(folder.path)/link.json"
    try #require(symlink("\(folder.path)/alice.json", link) == 0)
    #expect(throws: KeystoreError.symbolicLink(path: link)) { try folder.file("link.json").unlockCheaply() }
    #expect(throws: KeystoreError.symbolicLink(path: link)) { try folder.file("link.json").session() }
    try #require(symlink("\(folder.path)/nothing", "\(folder.path)/dangling.json") == 0)
    #expect(throws: KeystoreError.alreadyExists(path: "\(folder.path)/dangling.json")) {
      try folder.file("dangling.json").makeActive()
    }
    try #require(mkfifo("\(folder.path)/pipe", 0o600) == 0)
    #expect(throws: KeystoreError.notAFile(path: "\(folder.path)/pipe")) { try folder.file("pipe").read() }
    #expect(throws: KeystoreError.notAFile(path: "/tmp")) { try KeystoreFile(path: "/tmp").read() }
  }

  /// A link in the place of the file that is written first, or of the lock file, leads nowhere.
  @Test func linksInThePlaceOfSideFiles() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    try folder.write([1, 2, 3], to: "victim")
    try #require(symlink("\(folder.path)/victim", "\(folder.path)/.alice.json.new") == 0)
    try session.addApp(forum, registrars: [])
    #expect(try folder.read("victim") == [1, 2, 3])
    #expect(try folder.file().unlockCheaply().apps.count == 2)
    try #require(symlink("\(folder.path)/victim", "\(folder.path)/.bob.json.lock") == 0)
    #expect(throws: KeystoreError.system(step: "open the lock file of", path: "\(folder.path)/bob.json", code: ELOOP)) {
      try folder.file("bob.json").makeActive(id: bob)
    }
  }

  @Test(arguments: [0o640, 0o604, 0o620, 0o601] as [mode_t])
  func permissions(mode: mode_t) throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    try #require(chmod("\(folder.path)/alice.json", mode) == 0)
    let error = KeystoreError.openPermissions(path: "\(folder.path)/alice.json", mode: mode)
    #expect(throws: error) { try folder.file().unlockCheaply() }
    #expect("\(error)".contains("chmod 600"))
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
  func foreignOwner() throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    try #require(chown("\(folder.path)/alice.json", 12_345, 0) == 0)
    #expect(throws: KeystoreError.foreignOwner(path: "\(folder.path)/alice.json", userID: 12_345)) {
      try folder.file().unlockCheaply()
    }
  }

  @Test func tooLarge() throws {
    let folder = try TestFolder()
    let count = KeystoreLimits.fileBytes + 1
    try folder.write([UInt8](repeating: UInt8(ascii: " "), count: count))
    #expect(throws: KeystoreError.tooLarge(count: count)) { try folder.file().read() }
    #expect(throws: KeystoreError.tooLarge(count: count)) {
      try SealedKeystore(parsing: [UInt8](repeating: UInt8(ascii: " "), count: count))
    }
    try folder.write([UInt8](repeating: UInt8(ascii: " "), count: count - 1))
    #expect(throws: KeystoreError.truncated(count: count - 1)) { try folder.file().read() }
  }

  @Test func changedBehindTheSession() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let before = session.keystore.apps
    try folder.write(try folder.read() + [UInt8(ascii: " ")])
    let error = KeystoreError.changedOnDisk(path: "\(folder.path)/alice.json")
    #expect(throws: error) { try session.addApp(forum, registrars: []) }
    #expect(session.keystore.apps == before)
    unlink("\(folder.path)/alice.json")
    #expect(throws: error) { try session.addApp(forum, registrars: []) }
    #expect(!folder.names.contains("alice.json"))
  }

  /// Something that cannot be cleared away is in the place of the new version.
  @Test func writingFailsAndTheOldFileStays() throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    let before = try folder.read()
    try #require(mkdir("\(folder.path)/.alice.json.new", 0o700) == 0)
    defer { rmdir("\(folder.path)/.alice.json.new") }
    #expect(throws: KeystoreError.self) { try session.begin(.rotate, in: chat, key: .generated, at: now) }
    #expect(session.keystore.keys.count == 1 && session.keystore.changes.isEmpty)
    #expect(try folder.read() == before)
    rmdir("\(folder.path)/.alice.json.new")
    #expect(try session.begin(.rotate, in: chat, key: .generated, at: now).number == 1)
  }

  /// Every error has a sentence of its own, without the fallback.
  @Test func sentences() {
    let parameters = Argon2idParameters(memoryKiB: 1, passes: 2, lanes: 3)
    let key = SigningKey.generate().verifyingKey
    let errors: [KeystoreError] = [
      .notFound(path: "p"), .alreadyExists(path: "p"), .invalidPath("p"), .symbolicLink(path: "p"),
      .notAFile(path: "p"), .foreignOwner(path: "p", userID: 1), .openPermissions(path: "p", mode: 0o644),
      .tooLarge(count: 1), .locked(path: "p"), .changedOnDisk(path: "p"),
      .system(step: "read", path: "p", code: EIO), .truncated(count: 1),
      .malformed(.unexpectedEnd(offset: 1)), .notAKeystore, .damaged, .unknownVersion(2), .invalidField(pointer: "/x"),
      .unsupportedPasswordHash(pointer: "/x"), .parametersOutOfRange(parameters), .parametersTooWeak(parameters),
      .otherIdentity(expected: alice, found: bob), .otherApp(expected: chat, found: [forum]), .wrongPassword,
      .wrongRecoveryCode, .noSlot(.recoveryCode), .tampered, .outOfMemory(memoryKiB: 1), .passwordHashFailed(code: 1),
      .emptyPassword, .passwordTooLong(count: 1), .unknownSlot(name: "s"), .slotExists(name: "s"), .lastSlot,
      .tooMany("slots", limit: 8), .invalidRegistrar("r"), .invalidSlotName("s"),
      .unknownApp(chat), .unknownKey(key), .unknownChange(1), .invalidChange("why"),
    ]
    let sentences = errors.map(\.description)
    #expect(Set(sentences).count == errors.count && !sentences.contains("the keystore failed"))
    for sentence in sentences { #expect(sentence.first?.isUppercase == false && sentence.contains(": ")) }
  }
}
