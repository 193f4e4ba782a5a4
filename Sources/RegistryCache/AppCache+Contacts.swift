public import Contacts
import Cryptography
import Foundation
import GRDB
public import KeyRecords
public import RegistryClient

extension AppCache: ContactStore {
  /// See `ContactStore`.
  public func contacts(of users: Set<UserID>) async throws(StoreFailure) -> [UserID: Contact] {
    guard !users.isEmpty else { return [:] }
    return try await file.read { [app] database in
      let statement = try database.cachedStatement(sql: "SELECT * FROM contacts WHERE app = ? AND user = ?")
      var found: [UserID: Contact] = [:]
      for user in users {
        found[user] = try Row.fetchOne(statement, arguments: [app, user.text]).map { try ContactRow($0).contact }
      }
      return found
    }
  }

  /// See `ContactStore`.
  public func allContacts() async throws(StoreFailure) -> [Contact] {
    try await file.read { [app] database in
      try Row.fetchAll(database, sql: "SELECT * FROM contacts WHERE app = ? ORDER BY added, user", arguments: [app])
        .map { try ContactRow($0).contact }
    }
  }

  /// See `ContactStore`.
  public func saveContact(_ contact: Contact) async throws(StoreFailure) {
    let row = ContactRow(contact, app: app)
    try await file.write { database in
      try database.cachedStatement(
        sql: "INSERT OR REPLACE INTO contacts (app, user, name, added, card, made, digest) VALUES (?, ?, ?, ?, ?, ?, ?)"
      ).execute(arguments: row.arguments)
    }
  }

  /// See `ContactStore`.
  public func removeContact(_ user: UserID) async throws(StoreFailure) {
    try await file.write { [app] database in
      try database.cachedStatement(sql: "DELETE FROM contacts WHERE app = ? AND user = ?")
        .execute(arguments: [app, user.text])
    }
  }
}

/// A row of `contacts`. It has a digest, so that no name gets to another user; it has no part in the seal, because who
/// loses it loses no trust: that is in the pins.
struct ContactRow {
  /// The second version's.
  static let table = """
    CREATE TABLE contacts (
      app TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, added INTEGER NOT NULL, card BLOB, made INTEGER,
      digest BLOB NOT NULL, PRIMARY KEY (app, user)
    ) STRICT;
    """

  let app: String
  let contact: Contact

  init(_ contact: Contact, app: String) {
    self.app = app
    self.contact = contact
  }

  /// Reads a row, and holds it against its digest.
  init(_ row: Row) throws {
    app = try row.text("app")
    guard let name = try? ContactName(try row.text("name")) else { throw DamagedRow("the name of a contact is none") }
    var card: KeptCard?
    if let text = try row.decode(Data?.self, forColumn: "card") {
      card = KeptCard(text: [UInt8](text), made: try row.integer("made"))
    }
    contact = Contact(user: try row.user("user"), name: name, added: try row.integer("added"), card: card)
    guard try row.bytes32("digest") == digest else { throw DamagedRow("the contact \(contact.user) was changed") }
  }

  var digest: Bytes32 {
    var digest = RowDigest("contacts")
    for text in [app, contact.user.text, contact.name.text] { digest.add(text) }
    digest.add(contact.added)
    if let card = contact.card {
      digest.add(card.text)
      digest.add(card.made)
    }
    return digest.value
  }

  var arguments: StatementArguments {
    [
      app, contact.user.text, contact.name.text, contact.added, contact.card?.text.data, contact.card?.made,
      digest.bytes.data,
    ]
  }
}
