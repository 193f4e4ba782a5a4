import Cryptography
import KeyRecords
import PeerstackFormat

/// What a keystore shows without a password: authenticated by the seal, but only once that is opened.
struct Header: Hashable, Sendable {
  /// An app of the identity, and where its registrars are.
  struct App: Hashable, Sendable {
    private static let names: Set<String> = ["app", "registrars"]

    let app: AppID
    var registrars: [String]

    init(app: AppID, registrars: [String]) throws(KeystoreError) {
      guard registrars.count <= KeystoreLimits.registrars else {
        throw .tooMany("registrars of an app", limit: KeystoreLimits.registrars)
      }
      for url in registrars { try Names.checkRegistrar(url) }
      self.app = app
      self.registrars = registrars
    }

    init(_ value: JSONValue, at pointer: String) throws(KeystoreError) {
      let fields = try StrictFields(value, at: pointer, names: Self.names)
      let app = try fields.app("app")
      var registrars: [String] = []
      for (value, place) in try fields.list("registrars", limit: KeystoreLimits.registrars) {
        guard let url = value.string else { throw .invalidField(pointer: place) }
        registrars.append(url)
      }
      do {
        try self.init(app: app, registrars: registrars)
      } catch {
        throw .invalidField(pointer: pointer)
      }
    }

    var value: JSONValue {
      .object(["app": .text(app.text), "registrars": .array(registrars.map { .text($0) })])
    }
  }

  let id: UserID
  /// Counts how often the file was written.
  var revision: Int64
  var apps: [App]
  var paperKeys: [VerifyingKey]
  var slots: [Slot]

  init(id: UserID) {
    self.id = id
    revision = 0
    apps = []
    paperKeys = []
    slots = []
  }

  /// Reads the fields of a file, whose names were checked.
  init(_ fields: StrictFields, bounds: Argon2idBounds) throws(KeystoreError) {
    guard let id = UserID(try fields.text("id")) else { throw .invalidField(pointer: fields.pointer("id")) }
    self.id = id
    revision = try fields.integer("revision")
    apps = []
    for (value, place) in try fields.list("apps", limit: KeystoreLimits.apps) {
      let app = try App(value, at: place)
      guard !apps.contains(where: { $0.app == app.app }) else { throw .invalidField(pointer: place) }
      apps.append(app)
    }
    paperKeys = try fields.keys("paperKeys", limit: KeystoreLimits.paperKeys)
    slots = []
    for (value, place) in try fields.list("slots", limit: KeystoreLimits.slots) {
      let slot = try Slot(value, at: place, bounds: bounds)
      guard !slots.contains(where: { $0.name == slot.name }) else { throw .invalidField(pointer: place) }
      slots.append(slot)
    }
    guard !slots.isEmpty else { throw .invalidField(pointer: fields.pointer("slots")) }
  }

  /// The members of a file that are not sealed: also what the seal authenticates.
  var object: JSONObject {
    [
      "type": .text(SealedKeystore.typeName), "version": .integer(KeystoreLimits.version), "id": .text(id.text),
      "revision": .integer(revision), "apps": .array(apps.map(\.value)),
      "paperKeys": .array(paperKeys.map { .key($0) }), "slots": .array(slots.map(\.value)),
    ]
  }

  /// What is authenticated together with the secrets: everything that is not encrypted.
  var associatedData: [UInt8] {
    Sealing.associatedData("contents", object)
  }
}
