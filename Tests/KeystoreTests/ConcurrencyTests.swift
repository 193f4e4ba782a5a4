import Cryptography
import KeyRecords
import Glibc
import Testing

@testable import Keystore

@Suite struct ConcurrencyTests {
  @Test func onlyOneSession() throws {
    let folder = try TestFolder()
    var session: KeystoreSession? = try folder.file().makeActive()
    let error = KeystoreError.locked(path: "\(folder.path)/alice.json")
    #expect(throws: error) { try folder.file().session() }
    #expect(throws: error) { try folder.file().makeActive() }
    #expect(throws: Never.self) { try folder.file().unlockCheaply() }
    #expect(session?.keystore.id == alice)
    session = nil
    #expect(throws: Never.self) { try folder.file().session() }
  }

  /// The lock of another process counts, and ends with it, however it ends.
  @Test func anotherProcess() throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    let holder = try LockHolder(path: "\(folder.path)/.alice.json.lock")
    #expect(throws: KeystoreError.locked(path: "\(folder.path)/alice.json")) { try folder.file().session() }
    holder.kill()
    let session = try folder.file().openSession(with: password, wait: .seconds(60), strengtheningTo: nil)
    #expect(session.keystore.id == alice)
  }

  /// Many at once: every change is there at the end, and readers never see half a file.
  @Test func manyAtOnce() async throws {
    let folder = try TestFolder()
    _ = try folder.file().makeActive()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<5 {
            let session = try folder.file().openSession(with: password, wait: .seconds(120), strengtheningTo: nil)
            let change = try session.begin(.rotate, in: chat, key: .generated, at: now)
            try session.complete(change.number)
          }
        }
        group.addTask {
          for _ in 0..<50 { _ = try folder.file().unlockCheaply().keys }
        }
      }
      try await group.waitForAll()
    }
    let keystore = try folder.file().unlockCheaply()
    #expect(keystore.keys.count == 21 && keystore.state(in: chat)?.former.count == 20)
    #expect(keystore.contents.nextChange == 21)
  }

  /// One session shared by tasks.
  @Test func sharedSession() async throws {
    let folder = try TestFolder()
    let session = try folder.file().makeActive()
    try await withThrowingTaskGroup(of: Int64.self) { group in
      for _ in 0..<KeystoreLimits.changes {
        group.addTask { try session.begin(.rotate, in: chat, key: .generated, at: now).number }
      }
      var numbers: Set<Int64> = []
      for try await number in group { numbers.insert(number) }
      #expect(numbers == Set(1...Int64(KeystoreLimits.changes)))
    }
    #expect(try folder.file().unlockCheaply().changes == session.keystore.changes)
  }
}

/// A process that holds a lock until it is killed.
private struct LockHolder {
  private let processID: pid_t

  init(path: String) throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    // exec: the process that is killed is the one that holds the lock.
    let script = "exec 9<>\"$0\" && flock -x 9 && echo locked && exec sleep 600"
    let texts: [String] = ["/bin/sh", "-c", script, path]
    var arguments: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var processID: pid_t = 0
    let status = posix_spawn(&processID, "/bin/sh", &actions, nil, arguments, environ)
    close(ends[1])
    try #require(status == 0)
    self.processID = processID
    var line = [UInt8](repeating: 0, count: 16)
    let count = read(ends[0], &line, line.count)
    try #require(count > 0, "util-linux's flock is needed")
  }

  func kill() {
    Glibc.kill(processID, SIGKILL)
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0 && errno == EINTR {}
  }
}
