import Foundation
import KeyRecords
import RegistryCache
import RegistryClient
import RegistryTestKit
import Testing

/// Several processes with one file, and processes that die.
@Suite(.serialized) struct ProcessTests {
  /// Writes pins one after the other, and says of each that it was written, until somebody ends the process.
  private static func writePins(_ path: String, log: String) async throws {
    let app = try #require(AppID(CacheWorld.chat))
    let store = try CacheFile(path: path).store(of: app)
    let log = try FileHandle(forWritingTo: URL(filePath: log))
    for number in 0... {
      let user = try CacheWorld.user(number)
      let pin = CacheWorld.pin(user, sequence: Int64(number))
      #expect(try await store.replacePins([PinChange(of: user, from: nil, to: pin)]).isEmpty)
      try await store.save([user: CacheWorld.history(bytes: 3_000)], from: "r1")
      try log.write(contentsOf: Data("\(number)\n".utf8))
    }
  }

  /// Killed in the middle of writing, again and again: the file opens, and has what was written.
  @Test(arguments: 0..<6) func killedWhileItWrites(round: Int) async throws {
    let world = try CacheWorld()
    let log = world.folder.path("log")
    try Data().write(to: URL(filePath: log))
    let path = world.path
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, log = log as String] in
      // Not after a count of writes, which would be between two of them.
      Thread.detachNewThread {
        while (try? Data(contentsOf: URL(filePath: log)).isEmpty) != false { usleep(1_000) }
        usleep(UInt32.random(in: 0..<60_000))
        kill(getpid(), SIGKILL)
      }
      try await Self.writePins(path, log: log)
    }
    let written = String(decoding: try Data(contentsOf: URL(filePath: log)), as: UTF8.self).split(separator: "\n")
    #expect(!written.isEmpty)
    let store = try world.open()
    let pins = Dictionary(uniqueKeysWithValues: try await store.allPins().map { ($0.user, $0) })
    for number in 0..<written.count {
      let user = try CacheWorld.user(number)
      #expect(pins[user] == CacheWorld.pin(user, sequence: Int64(number)), "pin \(number) of \(written.count)")
    }
    #expect(written.count...written.count + 1 ~= pins.count, "and nothing that was not written")
    let users = Set(try (0..<written.count).map { try CacheWorld.user($0) })
    #expect(try await store.histories(of: users, from: "r1").count == users.count)
    let next = try CacheWorld.user(pins.count)
    let change = PinChange(of: next, from: nil, to: CacheWorld.pin(next, sequence: 1))
    #expect(try await store.replacePins([change]).isEmpty, "and it goes on")
  }

  /// Two processes race for the same pins, and make the file at the same time: each pin goes to one of them.
  @Test func twoProcessesAtOnce() async throws {
    let world = try CacheWorld()
    let count = 150
    try await withThrowingTaskGroup(of: Void.self) { group in
      for racer in 1...2 {
        let (path, log) = (world.path, world.folder.path("racer-\(racer)"))
        try Data().write(to: URL(filePath: log))
        group.addTask {
          await #expect(processExitsWith: .success) {
            [path = path as String, log = log as String, racer = racer as Int, count = count as Int] in
            try await Self.race(path, log: log, as: Int64(racer), count: count)
          }
        }
      }
      try await group.waitForAll()
    }
    let won = try (1...2).map { racer in
      let text = String(
        decoding: try Data(contentsOf: URL(filePath: world.folder.path("racer-\(racer)"))), as: UTF8.self)
      return text.split(separator: "\n").compactMap { Int($0) }
    }
    #expect((won[0] + won[1]).sorted() == Array(0..<count), "each pin has one winner")
    let pins = try await world.open().allPins()
    #expect(pins.count == count)
    for (racer, numbers) in won.enumerated() {
      let users = Set(try numbers.map { try CacheWorld.user($0) })
      #expect(pins.filter { users.contains($0.user) }.allSatisfy { $0.sequence == Int64(racer + 1) })
    }
  }

  private static func race(_ path: String, log: String, as racer: Int64, count: Int) async throws {
    let app = try #require(AppID(CacheWorld.chat))
    let store = try CacheFile(path: path).store(of: app)
    let log = try FileHandle(forWritingTo: URL(filePath: log))
    for number in 0..<count {
      let user = try CacheWorld.user(number)
      let change = PinChange(of: user, from: nil, to: CacheWorld.pin(user, sequence: racer))
      if try await store.replacePins([change]).isEmpty { try log.write(contentsOf: Data("\(number)\n".utf8)) }
      try await store.saveCursor(Int64(number), of: "r\(racer)")
      // Of this one both have something to say.
      try await store.saveCursor(Int64(number), of: "both")
    }
  }
}
