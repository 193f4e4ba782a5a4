import Contacts
import Foundation
import GRDB
import KeyRecords
import RegistryCache
import RegistryClient
import Testing

struct ContactTests {
  private func contact(_ number: Int, _ name: String, card: KeptCard? = nil) throws -> Contact {
    Contact(
      user: try CacheWorld.user(number), name: try ContactName(name), added: Milliseconds(100 - number), card: card)
  }

  @Test func contactsComeBack() async throws {
    let world = try CacheWorld()
    let store = try world.open()
    let one = try contact(1, "Zoë")
    var two = try contact(2, "Bob", card: KeptCard(text: Array("PEERKEY:CARD:A".utf8), made: 7))
    for contact in [one, two] { try await store.saveContact(contact) }
    for reader in [store, try world.open(), try world.afterCrash()] {
      #expect(try await reader.allContacts() == [two, one])
      #expect(try await reader.contacts(of: [one.user, try CacheWorld.user(3)]) == [one.user: one])
    }
    #expect(try await store.contacts(of: []).isEmpty)
    let forum = store.file.store(of: try #require(AppID("forum.example")))
    #expect(try await forum.allContacts().isEmpty)
    try await forum.removeContact(one.user)
    two.name = try ContactName("Robert")
    try await store.saveContact(two)
    try await store.removeContact(one.user)
    #expect(try await store.allContacts() == [two])
  }

  @Test func aNameThatGotToSomebodyElseIsNoticed() async throws {
    let world = try CacheWorld()
    let store = try world.open()
    for contact in [try contact(1, "Alice"), try contact(2, "Bob")] { try await store.saveContact(contact) }
    try store.file.close()
    let queue = try DatabaseQueue(path: world.path)
    try await queue.write { database in
      try database.execute(
        sql: "UPDATE contacts SET name = 'Alice' WHERE user = ?", arguments: [try CacheWorld.user(2).text])
    }
    try queue.close()
    let again = try world.open()
    await #expect(throws: StoreFailure.self) { try await again.allContacts() }
    #expect(try await again.contacts(of: [try CacheWorld.user(1)]).count == 1)
  }

  @Test func aFileOfTheFirstVersionIsTakenWithItsPins() async throws {
    let world = try CacheWorld()
    let store = try world.open()
    try await CacheWorld.fill(store, pins: 3)
    let kept = try await CacheWorld.Kept(store)
    try store.file.close()
    let queue = try DatabaseQueue(path: world.path)
    try await queue.write { database in
      try database.execute(sql: "DROP TABLE contacts; DELETE FROM grdb_migrations WHERE identifier = '2: contacts'")
    }
    try queue.close()
    let again = try world.open()
    #expect(try await CacheWorld.Kept(again) == kept)
    try await again.saveContact(try contact(1, "Alice"))
    #expect(try await again.allContacts().count == 1)
  }
}
