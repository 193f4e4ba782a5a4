import Cryptography
import KeyRecords
import RegistryClient
import RegistryTestKit
import Testing

struct StoreTests {
  @Test(arguments: StoreDuties.all)
  func memory(duty: StoreDuties.Duty) async throws {
    let store = MemoryStore()
    try await duty.check(store) { store }
  }

  /// Without pins and pinned policies nothing can be held against a registrar: no verdict is better than a wrong one.
  @Test(arguments: [BrokenStore.Part.pins, .policies]) func aStoreThatCannotBeRead(part: BrokenStore.Part) async throws
  {
    let world = try World()
    let user = try await world.claimedUser()
    let store = BrokenStore(part)
    let resolver = Resolver(
      app: world.app, registrars: [Registrar(name: "one", transport: world.registrar)], store: store, clock: world.clock
    )
    #expect(try await resolver.resolve(user.id).name == "unavailable")
    guard case .storeFailed = await resolver.notices.first(where: { _ in true }) else {
      Issue.record("the app must be told")
      return
    }
    await store.mend()
    #expect(try await resolver.resolve(user.id, .always).name == "user")
  }
}

/// A store one part of which cannot be read, as on a disk that fails.
actor BrokenStore: RegistryStore {
  enum Part { case pins, policies }

  private let store = MemoryStore()
  nonisolated var pinObservers: PinObservers { store.pinObservers }
  private var broken: Part?

  init(_ part: Part) { broken = part }

  func mend() { broken = nil }
  func breakDown(_ part: Part) { broken = part }

  private func check(_ part: Part) throws(StoreFailure) {
    if broken == part { throw StoreFailure("the disk fails") }
  }

  func histories(of users: Set<UserID>, from registrar: String) async -> [UserID: StoredHistory] {
    await store.histories(of: users, from: registrar)
  }
  func save(_ histories: [UserID: StoredHistory], from registrar: String) async {
    await store.save(histories, from: registrar)
  }
  func pins(of users: Set<UserID>) async throws(StoreFailure) -> [UserID: Pin] {
    try check(.pins)
    return await store.pins(of: users)
  }
  func allPins() async -> [Pin] { await store.allPins() }
  func replacePins(_ changes: [PinChange]) async -> Set<UserID> { await store.replacePins(changes) }
  func policies(from registrar: String) async throws(StoreFailure) -> [[UInt8]] {
    try check(.policies)
    return await store.policies(from: registrar)
  }
  func savePolicies(_ entries: [[UInt8]], from registrar: String) async {
    await store.savePolicies(entries, from: registrar)
  }
  func cursor(of registrar: String) async -> Int64? { await store.cursor(of: registrar) }
  func saveCursor(_ index: Int64, of registrar: String) async { await store.saveCursor(index, of: registrar) }
  func quarantine(_ objects: [QuarantinedObject], limits: QuarantineLimits, now: Milliseconds) async -> Int {
    await store.quarantine(objects, limits: limits, now: now)
  }
  func quarantinedSigners() async -> Set<UserID> { await store.quarantinedSigners() }
  func quarantined(by signers: Set<UserID>) async -> [QuarantinedObject] { await store.quarantined(by: signers) }
  func release(_ digests: Set<Bytes32>) async { await store.release(digests) }
}
