import ArgumentParser
import Contacts
import KeyRecords
import Keystore
import PeerstackFormat
import QRCode
import RegistryAPI
import RegistryClient

/// `peerkey contact`
struct ContactCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contact",
    abstract: "People whose keys you know, and how sure you are of them.",
    discussion: """
      Two people who hand each other their cards and compare the safety number know each other's keys without any \
      registrar. See docs/contacts.md.

      \(Peerkey.exitCodes)
      """,
    subcommands: [ContactCardCommand.self, ContactAdd.self, ContactList.self, ContactVerify.self, ContactForget.self])
}

/// A name on the command line.
struct NameArgument: ExpressibleByArgument {
  let text: String

  init(argument: String) { text = argument }

  func name() throws -> ContactName { try ContactName(text) }
}

/// `peerkey contact card`
struct ContactCardCommand: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "card",
    abstract: "Print your own contact card, signed, to hand over by mail or QR code.",
    discussion: """
      It has your name as you give it, and the whole history of your keys, so that it is good without a registrar. Make a \
      new one when your key has changed.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var offline: OfflineOptions

  @Option(help: ArgumentHelp("What you want to be called.", valueName: "name")) var name: NameArgument

  @Flag(help: "Draw it as a QR code.") var qr = false

  func perform() async throws -> Report {
    try await ContactTrouble.named {
      let name = try name.name()
      let app = try common.app(of: try common.store.file.read())
      let keystore = try common.store.unlock(app: app)
      return try await ContactDesk.open(common, isOffline: offline.isOffline, member: { keystore }) { desk in
        let card = try await card(name, keystore, desk)
        if qr, card.qrText == nil { throw Self.tooLong(card) }
        let drawing = try qr && !common.json ? Drawing.lines(card.line, .low) : []
        return Report(
          json: [
            "id": .text(card.user.text), "app": .text(app.text), "name": .text(card.name.text),
            "made": .integer(card.made), "sequence": .integer(card.identity.sequence), "card": .text(card.text),
            "qr": card.qrText.map { .text($0) } ?? .null,
          ], lines: qr ? drawing : [String(card.text.dropLast())])
      }
    }
  }

  private func card(_ name: ContactName, _ keystore: OpenKeystore, _ desk: ContactDesk) async throws -> ContactCard {
    guard let own = try await desk.look(keystore.id) else {
      throw CommandFailure(
        "nobody has shown the history of \(keystore.id) in \(desk.app) yet: run peerkey claim, or be online once",
        code: "unknown-user")
    }
    guard let key = own.judged.state.currentKey?.publicKey, keystore.state(in: desk.app)?.current == key else {
      throw CommandFailure(
        "the key in force in \(desk.app) is not in this keystore: see peerkey history, then peerkey recover",
        code: "key-elsewhere")
    }
    guard let policies = try await desk.chain() else {
      throw CommandFailure("the policies of \(desk.app) are not known: be online once", code: "card-policies")
    }
    return try ContactCard.make(name: name, judged: own.judged, policies: policies, now: SystemClock().now()) {
      try keystore.sign($0, app: desk.app)
    }
  }

  private static func tooLong(_ card: ContactCard) -> CommandFailure {
    CommandFailure(
      "\(card.judged.history.entries.count) records take \(card.line.utf8.count) characters, and a QR code holds "
        + "\(ContactCard.maxQRCharacters): hand the card over as text", code: "qr")
  }
}

/// `peerkey contact add`
struct ContactAdd: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Take somebody's contact card.",
    discussion: """
      Asks nobody. The key on the card is pinned if none is yet, as on first use; with --verified the pin counts as made \
      by hand: say so only if you had the card from that person's own hand, or have compared the safety number. A card \
      that is older than what is known changes nothing, and one that contradicts it is a conflict.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Flag(help: "I know that this card is theirs: from hand to hand, or by the safety number.") var verified = false

  @Option(help: ArgumentHelp("What to call them here; the name on the card unless given.", valueName: "name"))
  var name: NameArgument?

  @Argument(help: ArgumentHelp("A file with the card; - for standard input.", valueName: "file"))
  var card: String = "-"

  func perform() async throws -> Report {
    try await ContactTrouble.named {
      let name = try name?.name()
      let text = try TextFile.read(self.card, limit: ContactCard.maxTextBytes)
      return try await ContactDesk.open(common, isOffline: true) { desk in
        let card = try await desk.read(text)
        guard card.user != desk.me else {
          throw CommandFailure("this is your own card: hand it to somebody else", code: "own-card")
        }
        let known = try await desk.remembered(card.user, contact: nil)
        let added = try await desk.book.add(
          card, name: name, isVerified: verified, known: known?.judged, now: SystemClock().now())
        try await noteNamesakes(of: added.contact, desk)
        let own = try await ownState(desk)
        let number = try own.map { try SafetyNumber($0, card.judged.state) }
        return Self.report(card, added, number)
      }
    }
  }

  /// One's own state, if it is known and there is a key to compare.
  private func ownState(_ desk: ContactDesk) async throws -> UserState? {
    guard let me = desk.me, let own = try await desk.remembered(me, contact: nil)?.judged.state,
      (try? SafetyIdentity(own)) != nil
    else { return nil }
    return own
  }

  private func noteNamesakes(of contact: Contact, _ desk: ContactDesk) async throws {
    let others = try await desk.book.all().map(\.contact).filter { $0.name == contact.name && $0.user != contact.user }
    guard let other = others.first else { return }
    Console.say("note: \(other.user) is called \(contact.name) too: --name gives one of them another name")
  }

  private static func report(_ card: ContactCard, _ added: AddedContact, _ number: SafetyNumber?) -> Report {
    var lines = [
      "name        \(added.contact.name)\(added.contact.name == card.name ? "" : " (on the card: \(card.name))")",
      "id          \(card.user)\(card.isBound ? "" : "; it does not prove its first key: compare the number")",
      "card        made \(TimeWords.utc(card.made)), \(TimeText.age(of: card.made)) ago; record \(card.identity.sequence)",
      "key         \(KeyText.text(card.identity.publicKey))",
      "pin         \(words(added))",
    ]
    if !card.arePoliciesKnown { lines.append("policies    only those of the card: compare the number") }
    for (place, row) in (number?.rows ?? []).enumerated() {
      lines.append("\(place == 0 ? "number      " : "            ")\(row)")
    }
    if number == nil { lines.append("number      not known: your own keys have not been looked up yet") }
    return Report(
      json: [
        "id": .text(card.user.text), "app": .text(card.app.text), "name": .text(added.contact.name.text),
        "cardName": .text(card.name.text), "made": .integer(card.made), "bound": .bool(card.isBound),
        "policiesKnown": .bool(card.arePoliciesKnown), "publicKey": .text(KeyText.text(card.identity.publicKey)),
        "sequence": .integer(card.identity.sequence), "effect": .text(added.effect.rawValue),
        "trust": .text(added.pin.trust.rawValue), "number": number.map { .array($0.rows.map { .text($0) }) } ?? .null,
      ], lines: lines)
  }

  private static func words(_ added: AddedContact) -> String {
    switch (added.effect, added.pin.trust) {
    case (.pinned, .unverified): "new, on first use: peerkey contact verify \(added.contact.user)"
    case (.pinned, .verified): "new, made by hand"
    case (.verified, _): "verified"
    case (.unchanged, .verified): "as before: verified"
    case (.unchanged, .unverified): "as before: on first use"
    case (.newer, _):
      "as before, and the card knows more: a registrar shows it, or you compare: peerkey contact verify "
        + added.contact.user.text
    }
  }
}
