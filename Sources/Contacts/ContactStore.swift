public import KeyRecords
public import RegistryClient

/// Somebody one knows: what is kept beside the pin, and never leaves this machine.
public struct Contact: Sendable, Hashable {
  /// The user.
  public let user: UserID
  /// What they are called here.
  public var name: ContactName
  /// When they were added, by this machine's clock.
  public var added: Milliseconds
  /// The newest card of theirs; nil without one.
  public var card: KeptCard?

  /// A contact as it was stored.
  public init(user: UserID, name: ContactName, added: Milliseconds, card: KeptCard?) {
    self.user = user
    self.name = name
    self.added = added
    self.card = card
  }
}

/// A card as it is kept: to be judged again where no registrar can be asked.
public struct KeptCard: Sendable, Hashable {
  /// The one-line form.
  public let text: [UInt8]
  /// When it was made, as its maker says.
  public let made: Milliseconds

  /// A card as it was stored.
  public init(text: [UInt8], made: Milliseconds) {
    self.text = text
    self.made = made
  }
}

/// Where the contacts of one app are kept. The duties are those of a ``RegistryClient/RegistryStore``.
public protocol ContactStore: Sendable {
  /// The contacts among these users.
  func contacts(of users: Set<UserID>) async throws(StoreFailure) -> [UserID: Contact]
  /// Every contact, the one added first first.
  func allContacts() async throws(StoreFailure) -> [Contact]
  /// Puts a contact in place of an earlier one of the same user.
  func saveContact(_ contact: Contact) async throws(StoreFailure)
  /// Removes a contact, if it is there.
  func removeContact(_ user: UserID) async throws(StoreFailure)
}

/// A store that forgets everything when the process ends.
public actor MemoryContactStore: ContactStore {
  private var contacts: [UserID: Contact] = [:]

  /// An empty store.
  public init() {}

  /// See ``ContactStore``.
  public func contacts(of users: Set<UserID>) -> [UserID: Contact] { contacts.filter { users.contains($0.key) } }

  /// See ``ContactStore``.
  public func allContacts() -> [Contact] {
    contacts.values.sorted { ($0.added, $0.user) < ($1.added, $1.user) }
  }

  /// See ``ContactStore``.
  public func saveContact(_ contact: Contact) { contacts[contact.user] = contact }

  /// See ``ContactStore``.
  public func removeContact(_ user: UserID) { contacts[user] = nil }
}
