import ArgumentParser
import Contacts
import Glibc
import KeyRecords
import Keystore
import PeerstackFormat
import QRCode
import RegistryCache
import RegistryClient
import RegistryConnection

/// The contacts of an app for the time of one command, with a registrar if there is one, and without if need be.
struct ContactDesk: Sendable {
  let app: AppID
  /// The keystore's own id; nil without a keystore.
  let me: UserID?
  let book: ContactBook
  private let link: RegistrarLink?
  private let isOffline: Bool
  /// What registrars said before, however long ago: a person compares what comes of it.
  private let kept: Resolver
  private let keptName: String

  /// A user as they are known.
  struct Known: Sendable {
    /// Who says so.
    enum Source: String, Sendable {
      /// A registrar, now.
      case registrar
      /// A registrar, earlier.
      case cache
      /// The user, on a card.
      case card
    }

    let judged: JudgedHistory
    let source: Source
  }

  /// Runs `body`.
  ///
  /// - Parameters:
  ///   - isOffline: Whether nobody is asked.
  ///   - member: The keystore, where it is open already.
  static func open<T>(
    _ common: CommonOptions, isOffline: Bool, member: RegistrarLink.Member? = nil,
    _ body: (ContactDesk) async throws -> T
  ) async throws -> T {
    let sealed = try? common.store.file.read()
    let app = try common.app(of: sealed)
    let place = common.cachePlace
    guard case .file = place else { throw ValidationError("contacts are kept in the cache: leave --no-cache out") }
    let noted = sealed?.registrars(of: app).first
    guard let text = Settings.text(common.service.registrarFlag, "PEERKEY_REGISTRAR") ?? noted else {
      let store = try place.open(app)
      defer { store.close() }
      return try await body(try ContactDesk(app, sealed?.id, store.store, link: nil, isOffline: true))
    }
    let address = try common.service.address(text)
    func run(_ link: RegistrarLink) async throws -> T {
      try await body(try ContactDesk(app, sealed?.id, link.store, link: link, isOffline: isOffline))
    }
    if let member, !isOffline {
      return try await RegistrarLink.open(address, app: app, cache: place, member: member, run)
    }
    return try await RegistrarLink.openReading(
      address, app: app, cache: place, isOffline: isOffline, keystore: common.store, run)
  }

  private init(
    _ app: AppID, _ me: UserID?, _ store: any RegistryStore, link: RegistrarLink?, isOffline: Bool
  ) throws {
    guard let cache = store as? AppCache else {
      throw CommandFailure("contacts are kept in the cache, and there is none: give --cache", code: "cache")
    }
    self.app = app
    self.me = me
    self.link = link
    self.isOffline = isOffline
    book = ContactBook(app: app, store: cache, contacts: cache)
    var settings = ResolverSettings()
    settings.usableFor = .max
    keptName = link?.address.description ?? "none"
    kept = Resolver(
      app: app, registrars: [Registrar(name: keptName, transport: OfflineTransport())], store: cache,
      settings: settings)
  }

  // MARK: Looking

  /// Somebody by their id, or by what they are called here.
  func person(_ text: String) async throws -> (user: UserID, contact: Contact?) {
    if let user = UserID(text) { return (user, try await book.contact(user)) }
    let named = try await book.all().map(\.contact).filter { $0.name.text == text }
    guard let contact = named.first else {
      throw CommandFailure("no contact is called that: give the id, or see peerkey contact list", code: "no-contact")
    }
    guard named.count == 1 else {
      throw CommandFailure(
        "\(named.count) contacts are called that: give an id: \(named.map(\.user.text).joined(separator: ", "))",
        code: "no-contact")
    }
    return (contact.user, contact)
  }

  /// A user as the registrar shows them, or as they are known where it cannot be asked; nil for somebody unknown.
  func look(_ user: UserID, contact: Contact? = nil) async throws -> Known? {
    if let link, !isOffline {
      switch try await link.resolver.resolve(user, .always) {
      case .user(let known):
        if !link.isKept(known) { return Known(judged: known.judged, source: .registrar) }
        try link.checkKept([known])
        link.noteKept([known])
      case .unknown: return nil
      case .conflict(let conflict): throw Self.failure(user, conflict)
      case .unavailable, .expired:
        Console.say("note: \(link.failure("the registrar was not heard", unavailable: "no answer").description)")
      }
    }
    return try await remembered(user, contact: contact)
  }

  /// A user as they are known without asking anybody: as a registrar showed them, or their card, if that goes on from
  /// there.
  func remembered(_ user: UserID, contact: Contact?) async throws -> Known? {
    var known: Known?
    switch try await kept.resolve(user, .known) {
    case .user(let user): known = Known(judged: user.judged, source: .cache)
    case .conflict(let conflict): throw Self.failure(user, conflict)
    case .unknown, .unavailable, .expired: break
    }
    guard let contact, let card = try await card(of: contact) else { return known }
    guard let head = known?.judged.state.head else { return Known(judged: card.judged, source: .card) }
    let goesOn = card.judged.state.head.sequence > head.sequence
    let hasHead = card.judged.state.records.contains { $0.record == head.hash }
    return goesOn && hasHead ? Known(judged: card.judged, source: .card) : known
  }

  /// The card that is kept of a contact.
  func card(of contact: Contact) async throws -> ContactCard? {
    try await book.card(of: contact, under: policies(), clock: SystemClock().now())
  }

  /// Reads a card that was handed over.
  func read(_ text: [UInt8]) async throws -> ContactCard {
    try ContactCard.read(text, app: app, under: await policies(), clock: SystemClock().now())
  }

  private func policies() async -> KnownPolicies {
    KnownPolicies(chain: await kept.policies(of: keptName), takesSenders: true)
  }

  /// The app's policies as far as they can be had; nil if they are not known.
  func chain() async throws -> AppHistory? {
    if let link, let shown = try await link.policies() { return shown }
    return await kept.policies(of: keptName)
  }

  /// Forgets what was known of somebody.
  func forget(_ user: UserID) async throws {
    try await kept.forget(user)
    try await book.remove(user)
  }

  private static func failure(_ user: UserID, _ conflict: Conflict) -> CommandFailure {
    CommandFailure(
      "what is said of \(user) contradicts the rules or what was known: \(conflict.reason): trust nothing that is said "
        + "of this user until you know why", code: "conflict", facts: ["kind": .text(conflict.kind.rawValue)])
  }
}

extension RegistrarLink {
  /// Judges contacts by their cards while the registrar cannot be asked. A card that is not good any more is left out:
  /// nothing is then known of its user, as without it.
  func considerCards() async {
    guard let cache = store as? AppCache else { return }
    let book = ContactBook(app: app, store: cache, contacts: cache)
    do throws(ContactFault) {
      let known = KnownPolicies(chain: await resolver.policies(of: address.description), takesSenders: true)
      for (contact, pin) in try await book.all() where pin != nil {
        guard let card = try? book.card(of: contact, under: known, clock: SystemClock().now()) else { continue }
        _ = await resolver.consider(card.handed)
      }
    } catch {
      Console.say("note: cards of contacts are not used: \(error)")
    }
  }
}

/// What went wrong with contacts, for people and scripts.
enum ContactTrouble {
  /// Runs `body`, and gives the failures of contacts their codes.
  static func named<T>(_ body: () async throws -> T) async throws -> T {
    do {
      return try await body()
    } catch let fault as CardFault {
      throw CommandFailure(fault.description, code: fault.code)
    } catch let fault as ContactFault {
      throw CommandFailure(fault.description, code: code(fault))
    } catch let fault as SafetyFault {
      throw CommandFailure(fault.description, code: "no-key")
    } catch let fault as SafetyTextFault {
      throw CommandFailure(fault.description, code: "safety-text")
    } catch let fault as ContactName.Fault {
      throw CommandFailure(fault.description, code: "card-name")
    } catch let failure as QRCode.Failure {
      throw CommandFailure(failure.description, code: "qr")
    }
  }

  private static func code(_ fault: ContactFault) -> String {
    switch fault {
    case .older: "card-older"
    case .conflict: "conflict"
    case .busy: "busy"
    case .store: "cache"
    }
  }
}

/// A QR code among the lines of an answer.
enum Drawing {
  static func lines(_ text: String, _ correction: QRCode.Correction) throws -> [String] {
    let code = try QRCode(text, correction: correction)
    var size = winsize()
    if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, Int(size.ws_col) < code.columns {
      Console.say("note: the code has \(code.columns) columns, and the terminal \(size.ws_col): make it wider")
    }
    return code.lines(isatty(STDOUT_FILENO) == 1 ? .colored : .plain)
  }
}
