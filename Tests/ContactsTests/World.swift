import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient
import RegistryTestKit
import Testing

@testable import Contacts

/// An app, its clock, a registrar and a client.
struct World {
  static let start: Milliseconds = 1_770_000_000_000
  static let minute: Milliseconds = 60_000
  static let day: Milliseconds = 24 * 60 * minute

  let app: AppID
  let clock: ManualClock
  let registrar: TestRegistrar
  let store = MemoryStore()
  let contacts = MemoryContactStore()
  let resolver: Resolver

  init(app: String = "chat.example", rules: (@Sendable (Admins) -> PolicyRules)? = nil) throws {
    self.app = try #require(AppID(app))
    clock = ManualClock(now: Self.start)
    registrar = try #require(TestRegistrar(app: self.app, clock: clock, rules: rules))
    resolver = Resolver(
      app: self.app, registrars: [Registrar(name: "one", transport: registrar)], store: store, clock: clock,
      random: { 0.5 })
  }

  var book: ContactBook { ContactBook(app: app, store: store, contacts: contacts) }

  func user(paperDelay: Milliseconds = 0, hasRegistrarTier: Bool = false) async throws -> TestUser {
    let user = try #require(
      TestUser(app: app, created: clock.now(), paperDelay: paperDelay, hasRegistrarTier: hasRegistrarTier))
    try await registrar.submit(user.claim(at: clock.now()))
    clock.advance(by: 1)
    return user
  }

  func head(of user: TestUser) async throws -> KeyRecord { try #require(await registrar.head(of: user.id)) }

  func rotate(_ user: inout TestUser) async throws {
    let head = try await head(of: user)
    clock.advance(by: Self.minute)
    try await registrar.submit(user.rotate(after: head, at: clock.now()))
  }

  /// New friends, say: the same key.
  func amend(_ user: TestUser) async throws {
    let head = try await head(of: user)
    clock.advance(by: Self.minute)
    var record = RecordDraft(.amend, after: head, now: clock.now())
    record.sourceURL = "https://\(clock.now()).example"
    try await registrar.submit(record.draft.signed(by: user.key))
  }

  func judged(_ user: TestUser) async throws -> JudgedHistory {
    try #require(try await resolver.resolve(user.id, .always).user).judged
  }

  func state(_ user: TestUser) async throws -> UserState { try await judged(user).state }

  func policies() async throws -> AppHistory { try #require(await resolver.policies(of: "one")) }

  func card(
    _ user: TestUser, name: String = "Zoë Ã", by key: SigningKey? = nil,
    changing change: (JSONObject) -> JSONObject = { $0 }
  ) async throws -> ContactCard {
    try ContactCard.make(
      name: try ContactName(name), judged: try await judged(user), policies: try await policies(), now: clock.now()
    ) { user.sign(change($0), with: key) }
  }

  func read(_ text: String, under known: KnownPolicies = KnownPolicies(takesSenders: true)) throws -> ContactCard {
    try ContactCard.read(Array(text.utf8), app: app, under: known, clock: clock.now())
  }

  /// The code of the fault that a text meets; nil if it is a good card.
  func fault(_ text: String, under known: KnownPolicies = KnownPolicies(takesSenders: true)) -> String? {
    do throws(CardFault) {
      _ = try ContactCard.read(Array(text.utf8), app: app, under: known, clock: clock.now())
      return nil
    } catch {
      #expect(!error.description.utf8.contains { $0 < 0x20 })
      return error.code
    }
  }
}

extension ContactCard {
  /// The signed object of the card.
  var object: JSONObject {
    get throws { try #require(try PackedJSON.unpack(CardText.packed(in: Array(line.utf8)))?.object) }
  }

  /// The one-line form of an object, whatever it is.
  static func line(of object: JSONObject) throws -> String {
    CardText.line(CardText.bytes(of: try #require(PackedJSON.pack(.object(object)))))
  }
}
