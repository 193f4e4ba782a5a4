import KeyRecords
import PeerstackFormat
import RegistryTestKit
import Testing

@testable import RegistryClient

struct PolicyBookTests {
  /// Two answers may overtake each other: the older of them is no rollback, unless it was asked for later.
  @Test func anOvertakenAnswerIsNoRollback() async throws {
    let world = try World()
    let first = try #require(await world.registrar.policyChain().current)
    world.clock.advance(by: World.minute)
    let draft = first.rules.draft(app: world.app, after: first, now: world.clock.now())
    try await world.registrar.submit(try #require(draft.signed(approvedBy: [world.registrar.admin])))
    let values = try await world.registrar.policyChain().entries.map {
      try JSONValue.parseStrict($0.text, maxDepth: 20)
    }
    let now = world.clock.now()
    var book = PolicyBook(registrar: Registrar(name: "one", transport: world.registrar), app: world.app)
    try book.take([values[0]], asked: 0, entityTag: "a", through: 0, clock: now)
    try book.take(values, asked: 1, entityTag: "b", through: 1, clock: now)
    try book.take([values[0]], asked: 1, entityTag: "a", through: 2, clock: now)
    #expect(book.chain?.entries.count == 2 && book.entityTag == "b" && book.through == 2)
    #expect(throws: Conflict.self) {
      try book.take([values[0]], asked: 2, entityTag: "a", through: 3, clock: now)
    }
    #expect(throws: Conflict.self) { try book.take([values[1]], asked: 1, entityTag: nil, through: 3, clock: now) }
    #expect(book.through == 2)
  }
}
