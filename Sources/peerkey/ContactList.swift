import ArgumentParser
import Contacts
import KeyRecords
import PeerstackFormat
import RegistryClient

/// `peerkey contact list`
struct ContactList: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show the people you know.",
    discussion: "Asks nobody, and needs no password.\n\n\(Peerkey.exitCodes)")

  @OptionGroup var common: CommonOptions

  func perform() async throws -> Report {
    try await ContactTrouble.named {
      try await ContactDesk.open(common, isOffline: true) { desk in
        var json: [JSONValue] = []
        var lines: [String] = []
        for (contact, pin) in try await desk.book.all() {
          let known = await Self.known(contact, desk)
          json.append(Self.json(contact, pin, known))
          lines += Self.lines(contact, pin, known)
        }
        return Report(
          json: ["app": .text(desk.app.text), "contacts": .array(json)],
          lines: lines.isEmpty ? ["no contacts in \(desk.app): peerkey contact add"] : lines)
      }
    }
  }

  /// What is known of a contact, or why nothing counts.
  private static func known(_ contact: Contact, _ desk: ContactDesk) async -> Result<ContactDesk.Known?, CommandFailure>
  {
    do {
      return .success(try await ContactTrouble.named { try await desk.remembered(contact.user, contact: contact) })
    } catch {
      return .failure(CommandFailure(error))
    }
  }

  private static func trust(_ pin: Pin?, _ known: Result<ContactDesk.Known?, CommandFailure>) -> String {
    if case .failure(let failure) = known { return failure.code }
    return pin?.trust.rawValue ?? "none"
  }

  private static func json(
    _ contact: Contact, _ pin: Pin?, _ known: Result<ContactDesk.Known?, CommandFailure>
  ) -> JSONValue {
    let judged = try? known.get()
    let key = judged?.judged.state.currentKey?.publicKey
    return [
      "id": .text(contact.user.text), "name": .text(contact.name.text), "added": .integer(contact.added),
      "made": contact.card.map { .integer($0.made) } ?? .null, "trust": .text(trust(pin, known)),
      "bound": judged.map { .bool($0.judged.isBound) } ?? .null,
      "status": judged.map { .text($0.judged.state.status.rawValue) } ?? .null,
      "publicKey": key.map { .text(KeyText.text($0)) } ?? .null,
      "sequence": judged.map { .integer($0.judged.state.head.sequence) } ?? .null,
      "source": judged.map { .text($0.source.rawValue) } ?? .null,
    ]
  }

  private static func lines(
    _ contact: Contact, _ pin: Pin?, _ known: Result<ContactDesk.Known?, CommandFailure>
  ) -> [String] {
    var words: [String]
    switch known {
    case .failure(let failure): words = ["\(failure.code.uppercased()): \(failure.description)"]
    case .success(let known):
      words = [pin?.trust.rawValue ?? "not pinned"]
      if let state = known?.judged.state {
        words.append(state.currentKey.map { "key \(KeyText.short($0.publicKey))" } ?? state.status.rawValue)
      }
      if known?.judged.isBound == false { words.append("the id does not prove its first key") }
    }
    words.append("added \(TimeText.age(of: contact.added)) ago")
    return ["\(contact.user)  \(contact.name)", "    " + words.joined(separator: ", ")]
  }
}

/// `peerkey contact forget`
struct ContactForget: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget",
    abstract: "Forget somebody: the name, the card and the pin.",
    discussion: """
      The way out of a conflict, once you know how it came about, and only that: whoever is met next under this id is \
      taken for them. Asks nobody.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Flag(help: "Do not ask.") var yes = false

  @Argument(help: "An id, or a contact's name.") var person: String

  func perform() async throws -> Report {
    try await ContactTrouble.named {
      try await ContactDesk.open(common, isOffline: true) { desk in
        let (user, contact) = try await desk.person(person)
        if !yes {
          let name = contact.map { " (\($0.name))" } ?? ""
          try Terminal.confirm("Forget \(user)\(name), and what is pinned of them?", by: "yes", else: "give --yes")
        }
        try await desk.forget(user)
        return Report(
          json: ["id": .text(user.text), "app": .text(desk.app.text), "forgotten": true], lines: ["forgot \(user)"])
      }
    }
  }
}
