import Foundation
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryTestKit
import Synchronization
import Testing

/// A registrar, or its Postgres, that is killed in the middle of a stream of claims and rotations loses nothing it
/// acknowledged.
@Suite(.serialized) struct CrashTests {
  private static let writers = 6

  /// What was acknowledged, from all threads.
  private final class Acknowledged: Sendable {
    let hashes = Mutex<[UserID: RecordHash]>([:])
    let count = Atomic<Int>(0)

    func note(_ record: KeyRecord) {
      hashes.withLock { $0[record.subject] = record.hash }
      count.add(1, ordering: .relaxed)
    }
  }

  private let app: AppID
  private let folder: TemporaryFolder

  init() throws {
    app = try #require(AppID("crash.example"))
    folder = try TemporaryFolder(prefix: "crash")
  }

  private func start() throws -> RegistrarProcess {
    try RegistrarProcess(
      data: folder.path("data"), arguments: ["--app", app.text], log: folder.path("registrar.log"))
  }

  @Test func nothingAcknowledgedIsLost() async throws {
    let acknowledged = Acknowledged()
    var registrar = try start()
    for round in 0..<20 {
      let before = acknowledged.count.load(ordering: .relaxed)
      let enough = before + Int.random(in: 5...60)
      let writers = startWriters(port: registrar.port, acknowledged)
      while acknowledged.count.load(ordering: .relaxed) < enough {
        try #require(writers.contains { !$0.isFinished }, "writers must go on until something is killed")
        await Task.yield()
      }
      if round.isMultiple(of: 2) {
        registrar.kill()
        for writer in writers { writer.stop() }
        registrar = try start()
      } else {
        try killPostgres()
        for writer in writers { writer.stop() }
      }
      try await expectAll(acknowledged, registrar)
    }
    #expect(registrar.stop() == 0)
    let check = try BuiltProgram.run("registrar", ["check", "--data", folder.path("data")])
    #expect(check.status == 0, "\(check.error) \(check.lines)")
  }

  /// One thread that claims ids and rotates each once, until it is told to stop or nobody answers.
  private final class Writer: Sendable {
    private let stopping = Atomic<Bool>(false)
    private let finished = DispatchSemaphore(value: 0)
    private let isDone = Atomic<Bool>(false)

    var isFinished: Bool { isDone.load(ordering: .relaxed) }

    init(port: UInt16, app: AppID, _ acknowledged: Acknowledged) {
      let thread = Thread {
        let http = BlockingHTTP(port: port)
        var isAnswered = true
        while isAnswered, !self.stopping.load(ordering: .relaxed), var person = TestPerson(app: app) {
          isAnswered = Self.send(person.head, app, http, acknowledged)
          if isAnswered, let rotation = person.rotate() { isAnswered = Self.send(rotation, app, http, acknowledged) }
        }
        self.isDone.store(true, ordering: .relaxed)
        self.finished.signal()
      }
      thread.start()
    }

    private static func send(
      _ record: KeyRecord, _ app: AppID, _ http: BlockingHTTP, _ acknowledged: Acknowledged
    ) -> Bool {
      guard let answer = try? http.post(APIPath.records.path(of: app), record.canonical) else { return false }
      if answer.status == 201 { acknowledged.note(record) }
      return answer.status == 201 || answer.status == 503
    }

    func stop() {
      stopping.store(true, ordering: .relaxed)
      finished.wait()
    }
  }

  private func startWriters(port: UInt16, _ acknowledged: Acknowledged) -> [Writer] {
    (0..<Self.writers).map { _ in Writer(port: port, app: app, acknowledged) }
  }

  private func killPostgres() throws {
    let file = folder.path("data/postgres/postmaster.pid")
    let text = try String(contentsOfFile: file, encoding: .utf8)
    let processID = try #require(text.split(separator: "\n").first.flatMap { Int32($0) })
    kill(processID, SIGKILL)
  }

  /// Every acknowledged record is there, effective, as soon as the registrar answers.
  private func expectAll(_ acknowledged: Acknowledged, _ registrar: RegistrarProcess) async throws {
    let http = BlockingHTTP(port: registrar.port)
    let deadline = ContinuousClock.now + .seconds(120)
    while (try? http.get("/readyz").status) != 200 {
      try #require(ContinuousClock.now < deadline, "the registrar must come back by itself")
      try await Task.sleep(for: .milliseconds(50))
    }
    let hashes = acknowledged.hashes.withLock { $0 }
    let ids = Array(hashes.keys)
    for start in stride(from: 0, to: ids.count, by: 1_000) {
      let page = Array(ids[start..<min(start + 1_000, ids.count)])
      let answer = try http.post(APIPath.resolve.path(of: app), ResolveRequest(ids: page).body)
      try #require(answer.status == 200)
      let users = try #require(answer.json["users"]?.object)
      for id in page {
        let entries = users[id.text]?.object?["entries"]?.array ?? []
        let found = entries.compactMap { $0.object?["record"] }.map { RecordHash(of: CanonicalJSON.bytes(of: $0)) }
        #expect(hashes[id].map(found.contains) == true, "an acknowledged record of \(id) is lost")
      }
    }
  }
}
