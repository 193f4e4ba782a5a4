import Foundation
import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryTestKit
import Synchronization
import Testing

/// Many at once over real HTTP: exactly one wins.
@Suite(.serialized) struct RaceTests {
  private static let rivals = 200

  /// The answers to texts that are posted at the same moment, each over a connection of its own that is open before.
  private func race(_ texts: [[UInt8]], to world: AdminWorld) -> [String] {
    let answers = Mutex<[String]>([])
    let (ready, start, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), DispatchGroup())
    let (port, path) = (world.server.port, APIPath.records.path(of: world.app))
    for text in texts {
      done.enter()
      let thread = Thread {
        let http = BlockingHTTP(port: port)
        _ = try? http.get("/healthz")
        ready.signal()
        start.wait()
        let answer = try? http.post(path, text)
        answers.withLock { $0.append(answer.map { $0.code ?? "\($0.status)" } ?? "no answer") }
        done.leave()
      }
      thread.stackSize = 1 << 20
      thread.start()
    }
    for _ in texts { ready.wait() }
    for _ in texts { start.signal() }
    done.wait()
    return answers.withLock(\.self)
  }

  private func expectOneWinner(_ answers: [String], else code: String) {
    let counts = Dictionary(answers.map { ($0, 1) }, uniquingKeysWith: +)
    #expect(counts == ["201": 1, code: Self.rivals - 1])
  }

  @Test func ofTwoHundredClaimsOfOneIDOneIsAccepted() throws {
    let world = try AdminWorld(["--bound-since", "never"])
    let id = AdminWorld.unboundID()
    let claims = try (0..<Self.rivals).map { _ in
      try #require(TestUser(unbound: id, app: world.app)).claim(at: TestPerson.now)
    }
    expectOneWinner(race(claims, to: world), else: "id-taken")
    let entries = try world.http.get("/apps/chat.example/users/\(id)/history").json["entries"]?.array
    #expect(entries?.count == 1)
  }

  @Test func ofTwoHundredRotationsFromOneHeadOneIsAccepted() throws {
    let world = try AdminWorld()
    let (user, head) = try world.claimed(TestUser(app: world.app, created: TestPerson.now))
    let rotations = (0..<Self.rivals).map { _ in
      var device = user
      return device.rotate(after: head, at: TestPerson.now + 1)
    }
    expectOneWinner(race(rotations, to: world), else: "stale-head")
    #expect(try world.http.get("/apps/chat.example/users/\(user.id)").json["sequence"] == 1)
  }
}
