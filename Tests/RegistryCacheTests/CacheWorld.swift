import Cryptography
import Foundation
import KeyRecords
import RegistryCache
import RegistryClient
import RegistryTestKit
import Testing

/// A folder with a cache, and values to put into it.
struct CacheWorld {
  static let chat = "chat.example"

  let folder: TemporaryFolder
  let app: AppID

  init() throws {
    folder = try TemporaryFolder(prefix: "cache")
    app = try #require(AppID(Self.chat))
  }

  var path: String { folder.path("registry.sqlite") }

  func open(maxHistoryBytes: Int = 64 << 20, clock: any ClientClock = SystemClock()) throws -> AppCache {
    try CacheFile(path: path, maxHistoryBytes: maxHistoryBytes, clock: clock).store(of: app)
  }

  /// Opens what a crash right now would leave: the file and its log as they are on the disk, without the memory that
  /// processes share.
  func afterCrash() throws -> AppCache {
    let copy = folder.path("\(UUID().uuidString).sqlite")
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    let log = path + "-wal"
    if FileManager.default.fileExists(atPath: log) {
      try FileManager.default.copyItem(atPath: log, toPath: copy + "-wal")
    }
    return try CacheFile(path: copy).store(of: app)
  }

  static func user(_ number: Int) throws -> UserID { try #require(UserID("00mjuohs00aaaaaaaaa\(100_000 + number)")) }

  static func pin(_ user: UserID, sequence: Int64) -> Pin {
    Pin(
      user: user, registrar: "https://one.example", first: RecordHash(of: Array(user.text.utf8)), sequence: sequence,
      head: RecordHash(of: [UInt8(truncatingIfNeeded: sequence)]), incarnation: 0, lastIndex: sequence,
      asOf: AsOf(index: sequence, time: 1_770_000_000_000 + sequence), trust: .unverified)
  }

  static func history(bytes: Int, filler: UInt8 = 1) -> StoredHistory {
    StoredHistory(
      entries: [[UInt8](repeating: filler, count: bytes)], asOf: AsOf(index: 1, time: 2), checked: 3)
  }

  /// Puts something of each kind into a cache.
  static func fill(_ store: AppCache, pins: Int = 40) async throws {
    let users = try (0..<pins).map { try user($0) }
    #expect(
      try await store.replacePins(users.map { PinChange(of: $0, from: nil, to: pin($0, sequence: 7)) }).isEmpty)
    try await store.savePolicies([Array("{}".utf8), Array("[1]".utf8)], from: "r1")
    try await store.saveCursor(5, of: "r1")
    try await store.save(
      Dictionary(uniqueKeysWithValues: users.map { ($0, history(bytes: 400)) }), from: "r1")
    let object = QuarantinedObject(text: Array("{\"id\":1}".utf8), signer: users[0], received: 1)
    #expect(try await store.quarantine([object], limits: QuarantineLimits(), now: 2) == 0)
  }

  /// All that must never get lost.
  struct Kept: Equatable {
    let pins: [UserID: Pin]
    let policies: [[UInt8]]
    let cursor: Int64?

    init(_ store: AppCache) async throws {
      pins = Dictionary(uniqueKeysWithValues: try await store.allPins().map { ($0.user, $0) })
      policies = try await store.policies(from: "r1")
      cursor = try await store.cursor(of: "r1")
    }
  }
}
