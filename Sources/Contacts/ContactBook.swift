public import KeyRecords
public import RegistryClient

/// What adding a contact came to.
public struct AddedContact: Sendable, Hashable {
  /// What became of the pin.
  public enum Effect: String, Sendable, Hashable {
    /// There was none: it was made of the card.
    case pinned
    /// A person has compared what it says now.
    case verified
    /// It says the same as the card.
    case unchanged
    /// The card knows more; the pin stays where it is until a registrar shows it, or a person has compared it.
    case newer
  }

  /// The contact.
  public let contact: Contact
  /// The pin as it is now.
  public let pin: Pin
  /// What became of it.
  public let effect: Effect
}

/// The people one knows in an app: names, cards, and the pins that a person makes by hand.
public struct ContactBook: Sendable {
  private static let attempts = 5

  /// The app.
  public let app: AppID
  private let store: any RegistryStore
  private let contacts: any ContactStore

  /// The contacts in two stores of the same app.
  public init(app: AppID, store: any RegistryStore, contacts: any ContactStore) {
    self.app = app
    self.store = store
    self.contacts = contacts
  }

  /// Adds the person of a card, or takes a newer card of somebody who is known. It is the person who asks for this that
  /// sets the pin, not the card: call it for nobody who did not.
  ///
  /// - Parameters:
  ///   - name: What to call the contact; by default what it is called already, else the name on the card.
  ///   - isVerified: Whether a person has compared the safety number, or got the card from hand to hand.
  ///   - known: The newest history that is known otherwise: tells an older card from a forged one.
  public func add(
    _ card: ContactCard, name: ContactName? = nil, isVerified: Bool, known: JudgedHistory? = nil, now: Milliseconds
  ) async throws(ContactFault) -> AddedContact {
    let decision = try await pin(card.judged, isVerified: isVerified, known: known)
    do throws(StoreFailure) {
      var contact =
        try await contacts.contacts(of: [card.user])[card.user]
        ?? Contact(user: card.user, name: card.name, added: now, card: nil)
      if let name { contact.name = name }
      if contact.card.map({ $0.made <= card.made }) ?? true {
        contact.card = KeptCard(text: Array(card.line.utf8), made: card.made)
      }
      try await contacts.saveContact(contact)
      return AddedContact(contact: contact, pin: decision.pin, effect: decision.effect)
    } catch {
      throw .store(error)
    }
  }

  /// A person has compared what a history says: its pin counts as verified.
  public func confirm(_ judged: JudgedHistory) async throws(ContactFault) -> Pin {
    try await pin(judged, isVerified: true, known: nil).pin
  }

  private func pin(
    _ judged: JudgedHistory, isVerified: Bool, known: JudgedHistory?
  ) async throws(ContactFault) -> HandPin.Decision {
    let user = judged.subject
    for _ in 0..<Self.attempts {
      let pin = try await stored { () async throws(StoreFailure) in try await store.pins(of: [user])[user] }
      let decision = try HandPin.decide(pin, judged, isVerified: isVerified, known: known)
      guard decision.pin != pin else { return decision }
      let change = PinChange(of: user, from: pin, to: decision.pin)
      let left = try await stored { () async throws(StoreFailure) in try await store.replacePins([change]) }
      if left.isEmpty { return decision }
    }
    throw .busy
  }

  private func stored<T: Sendable>(_ body: () async throws(StoreFailure) -> T) async throws(ContactFault) -> T {
    do throws(StoreFailure) {
      return try await body()
    } catch {
      throw .store(error)
    }
  }

  /// Forgets the name and the card of somebody; the pin is the resolver's to forget.
  public func remove(_ user: UserID) async throws(ContactFault) {
    try await stored { () async throws(StoreFailure) in try await contacts.removeContact(user) }
  }

  // MARK: Looking

  /// One contact; nil for somebody who was not added.
  public func contact(_ user: UserID) async throws(ContactFault) -> Contact? {
    try await stored { () async throws(StoreFailure) in try await contacts.contacts(of: [user])[user] }
  }

  /// Every contact, the one added first first, with the pin.
  public func all() async throws(ContactFault) -> [(contact: Contact, pin: Pin?)] {
    try await stored { () async throws(StoreFailure) in
      let all = try await contacts.allContacts()
      let pins = try await store.pins(of: Set(all.map(\.user)))
      return all.map { ($0, pins[$0.user]) }
    }
  }

  /// The card that is kept of a contact, judged anew; nil if there is none.
  public func card(
    of contact: Contact, under known: KnownPolicies = KnownPolicies(takesSenders: true), clock: Milliseconds
  ) throws(CardFault) -> ContactCard? {
    guard let text = contact.card?.text else { return nil }
    return try ContactCard.read(text, app: app, under: known, clock: clock)
  }
}
