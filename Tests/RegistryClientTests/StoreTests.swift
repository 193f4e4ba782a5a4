import RegistryClient
import RegistryTestKit
import Testing

struct StoreTests {
  @Test(arguments: StoreDuties.all)
  func memory(duty: StoreDuties.Duty) async throws {
    let store = MemoryStore()
    try await duty.check(store) { store }
  }
}
