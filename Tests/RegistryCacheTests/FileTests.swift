import Foundation
import GRDB
import KeyRecords
import RegistryClient
import RegistryTestKit
import Testing

@testable import RegistryCache

/// What is done with files that are not as they should be.
struct FileTests {
  private let world: CacheWorld

  init() throws { world = try CacheWorld() }

  private func failure() -> CacheFileError? {
    do throws(CacheFileError) {
      _ = try CacheFile(path: world.path)
      return nil
    } catch {
      return error
    }
  }

  /// A cache with something in it, closed: the bytes of its file.
  private func filled(pins: Int = 40) async throws -> [UInt8] {
    let store = try world.open()
    try await CacheWorld.fill(store, pins: pins)
    try store.file.close()
    #expect(!FileManager.default.fileExists(atPath: world.path + "-wal"), "all is in the file itself")
    return [UInt8](try Data(contentsOf: URL(filePath: world.path)))
  }

  private func write(_ bytes: [UInt8]) throws {
    for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: world.path + suffix) }
    try Data(bytes).write(to: URL(filePath: world.path))
    #expect(chmod(world.path, 0o600) == 0)
  }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require(attributes[.posixPermissions] as? Int)
  }

  @Test func onlyTheOwnerCanReadWhatIsMade() async throws {
    let store = try world.open()
    try await CacheWorld.fill(store)
    for suffix in ["", "-wal", "-shm"] { #expect(try mode(world.path + suffix) == 0o600) }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: world.folder.url.path()).count == 3, "no drafts are left")
    #expect(chmod(world.path, 0o640) == 0)
    #expect(failure() == .openPermissions(path: world.path, mode: 0o640))
  }

  /// Commits must wait for the disk, whatever the library's defaults are.
  @Test func commitsWaitForTheDisk() async throws {
    let store = try world.open()
    let pragmas = try await store.file.read { database in
      [
        try String.fetchOne(database, sql: "PRAGMA journal_mode"),
        try String.fetchOne(database, sql: "PRAGMA synchronous"),
      ]
    }
    #expect(pragmas == ["wal", "2"])
  }

  @Test func filesOfOthersAreRefusedAndLeftAlone() async throws {
    let others = try DatabaseQueue(path: world.path)
    try await others.write { try $0.execute(sql: "CREATE TABLE notes (text TEXT)") }
    try others.close()
    #expect(chmod(world.path, 0o600) == 0)
    for bytes in [
      [UInt8](try Data(contentsOf: URL(filePath: world.path))), Array("{\"id\":1}".utf8),
      [UInt8](repeating: 0, count: 8_192),
    ] {
      try write(bytes)
      #expect(failure() == .foreign(path: world.path))
      #expect([UInt8](try Data(contentsOf: URL(filePath: world.path))) == bytes)
    }
    try FileManager.default.removeItem(atPath: world.path)
    try FileManager.default.createSymbolicLink(atPath: world.path, withDestinationPath: "/dev/null")
    #expect(failure() == .symbolicLink(path: world.path))
    try FileManager.default.removeItem(atPath: world.path)
    try FileManager.default.createDirectory(atPath: world.path, withIntermediateDirectories: false)
    #expect(failure() == .notAFile(path: world.path))
  }

  @Test func aFileOfALaterVersionIsRefused() async throws {
    _ = try await filled()
    let queue = try DatabaseQueue(path: world.path)
    var migrator = CacheSchema.migrator
    migrator.registerMigration("1000: something new") { try $0.execute(sql: "CREATE TABLE new (x INTEGER)") }
    try migrator.migrate(queue)
    try queue.close()
    #expect(failure() == .newer(path: world.path))
  }

  @Test func aFolderThatIsNotThere() throws {
    #expect(throws: CacheFileError.system(step: "make", path: "/nowhere/registry.sqlite", code: ENOENT)) {
      try CacheFile(path: "/nowhere/registry.sqlite")
    }
  }

  /// A file that is cut off anywhere is refused, the empty one included: it would be taken for a new one.
  @Test func aTruncatedFileIsRefused() async throws {
    let bytes = try await filled()
    var lengths = Array(stride(from: 0, to: bytes.count, by: 4_096))
    lengths += [1, 15, 16, 50, 99, 100, 101, 4_000, bytes.count - 1]
    for length in lengths {
      try write(Array(bytes[..<length]))
      let failure = failure()
      switch failure {
      case .damaged, .foreign: break
      default: Issue.record("\(length) of \(bytes.count) bytes: \(failure.map(\.description) ?? "opened")")
      }
      #expect(try Data(contentsOf: URL(filePath: world.path)).count == length, "it is left as it is")
    }
  }

  /// Whichever bit is wrong: the file is refused, or nothing that is kept is lost or changed.
  @Test func aFlippedBitIsRefusedOrDoesNoHarm() async throws {
    let bytes = try await filled()
    let kept = try await CacheWorld.Kept(try world.open())
    var random = SystemRandomNumberGenerator()
    var refused = 0
    let places = Array(0..<100) + (0..<500).map { _ in Int.random(in: 0..<bytes.count, using: &random) }
    for place in places {
      var flipped = bytes
      flipped[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try write(flipped)
      let store: AppCache
      do throws(CacheFileError) {
        store = try CacheFile(path: world.path).store(of: world.app)
      } catch {
        refused += 1
        continue
      }
      // A failure is no loss either: the resolver then trusts nobody.
      guard let found = try? await CacheWorld.Kept(store) else { continue }
      #expect(found == kept, "byte \(place) of \(bytes.count)")
      let users = Set(kept.pins.keys)
      if let histories = try? await store.histories(of: users, from: "r1") {
        #expect(histories.values.allSatisfy { $0 == CacheWorld.history(bytes: 400) }, "byte \(place)")
      }
      _ = try? await store.quarantined(by: users)
    }
    #expect(refused > 0)
  }

  /// SQLite alone would not notice: a pin is not found any more, or is an older one.
  @Test(arguments: [
    "DELETE FROM pins WHERE user LIKE '%3'", "UPDATE pins SET sequence = 6", "DELETE FROM policies",
    "UPDATE cursors SET place = 4", "DELETE FROM seals", "UPDATE pins SET user = '00mjuohs00aaaaaaaaaaaaaaa' LIMIT 1",
    "UPDATE pins SET registrar = 'https://two.example'",
  ])
  func whatIsKeptIsSealed(sql: String) async throws {
    _ = try await filled()
    let queue = try DatabaseQueue(path: world.path)
    let statement =
      sql.hasSuffix(" LIMIT 1")
      ? sql.replacing(" LIMIT 1", with: " WHERE user = (SELECT min(user) FROM pins)") : sql
    try await queue.write { try $0.execute(sql: statement) }
    try queue.close()
    guard case .damaged = failure() else {
      Issue.record("it was opened after: \(statement)")
      return
    }
  }

  /// The table has all of it, but nothing is found by its key.
  @Test func aDamagedIndexOfWhatIsKeptIsNoticed() async throws {
    var bytes = try await filled()
    let queue = try DatabaseQueue(path: world.path)
    let (page, size) = try await queue.read { database in
      let root = "SELECT rootpage FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'policies'"
      return (
        try #require(try Int.fetchOne(database, sql: root)),
        try #require(try Int.fetchOne(database, sql: "PRAGMA page_size"))
      )
    }
    try queue.close()
    let place = try #require(bytes[..<(page * size)].ranges(of: Array("r1".utf8)).last?.lowerBound)
    try #require(place >= (page - 1) * size)
    bytes[place] ^= 1
    try write(bytes)
    guard case .damaged = failure() else {
      Issue.record("it was opened")
      return
    }
  }

  @Test func aDamagedHistoryCountsAsDropped() async throws {
    _ = try await filled()
    let queue = try DatabaseQueue(path: world.path)
    let (one, two) = (try CacheWorld.user(1), try CacheWorld.user(2))
    try await queue.write {
      try $0.execute(sql: "UPDATE histories SET checked = checked + 1 WHERE user = ?", arguments: [one.text])
    }
    try queue.close()
    let found = try await world.open().histories(of: [one, two], from: "r1")
    #expect(Set(found.keys) == [two])
  }
}
