import ArgumentParser
import Contacts
import KeyRecords
import PeerstackFormat
import QRCode
import RegistryClient

/// `peerkey contact verify`
struct ContactVerify: KeyCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Compare the safety number of you and somebody.",
    discussion: """
      Without more it shows the number: read it to each other, by voice or face to face, not over the app itself. With \
      --number or --scan it is held against what the other side shows, and if it is the same the pin counts as made by \
      hand. Ends with 2 if one of you knows older records than the other: look again, then compare once more. If the \
      number differs, it ends with 1 and the code conflict.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var offline: OfflineOptions

  @Flag(help: "Draw what the other side is to scan as a QR code.") var qr = false

  @Option(help: ArgumentHelp("The number that the other side shows: fifty digits.", valueName: "digits"))
  var number: String?

  @Option(help: ArgumentHelp("The text of the QR code that the other side shows.", valueName: "text"))
  var scan: String?

  @Argument(help: "An id, or a contact's name.") var person: String

  func validate() throws {
    guard number == nil || scan == nil else { throw ValidationError("--number or --scan: give one of them") }
  }

  func perform() async throws -> Report {
    try await ContactTrouble.named {
      let typed = try number.map(digits)
      return try await ContactDesk.open(common, isOffline: offline.isOffline) { desk in
        let (user, contact) = try await desk.person(person)
        guard let me = desk.me else { throw CommandFailure("there is no keystore of yours: give --keystore") }
        let own = try await known(me, nil, desk)
        let theirs = try await known(user, contact, desk)
        let safety = try SafetyNumber(own.judged.state, theirs.judged.state)
        let result =
          try typed.map { safety.compare(digits: $0) } ?? scan.map { try safety.compare(scanned: Array($0.utf8)) }
        try refuse(result, safety, desk.app)
        let pin = result == .same ? try await desk.book.confirm(theirs.judged) : nil
        return try report(safety, user, contact, theirs, result, pin)
      }
    }
  }

  private func digits(_ text: String) throws -> String {
    guard let digits = SafetyNumber.digits(typed: Array(text.utf8)) else {
      throw CommandFailure("a safety number has \(SafetyNumber.digitCount) digits: type in all of it", code: "number")
    }
    return digits
  }

  private func known(_ user: UserID, _ contact: Contact?, _ desk: ContactDesk) async throws -> ContactDesk.Known {
    if let known = try await desk.look(user, contact: contact) { return known }
    throw CommandFailure(
      "nothing is known of \(user) in \(desk.app): look them up with peerkey resolve, or add their card",
      code: "unknown-user")
  }

  private func refuse(_ result: SafetyComparison?, _ safety: SafetyNumber, _ app: AppID) throws {
    guard case .different(let users)? = result else { return }
    let rows = users.compactMap { user in safety.users.firstIndex(of: user).map { "row \($0 + 1), \(user)" } }
    throw CommandFailure(
      "DIFFERENT (\(rows.joined(separator: "; "))): the other side knows other keys. Look again both of you, type or scan "
        + "once more; if it stays so, somebody may be between you, and nothing that is signed with these keys should be "
        + "believed", code: "conflict",
      facts: ["app": .text(app.text), "users": .array(users.map { .text($0.text) })])
  }

  private func report(
    _ safety: SafetyNumber, _ user: UserID, _ contact: Contact?, _ theirs: ContactDesk.Known,
    _ result: SafetyComparison?, _ pin: Pin?
  ) throws -> Report {
    let (name, sentence) = Self.words(result)
    var lines = zip(safety.users, safety.rows).map { member, row in
      "\(row)  \(member)\(member == user ? contact.map { " (\($0.name))" } ?? "" : " (you)")"
    }
    if qr, !common.json { lines += try Drawing.lines(safety.text, .medium) }
    if !sentence.isEmpty { lines.append(sentence) }
    return Report(
      status: result == nil || result == .same ? .done : .pending,
      json: [
        "id": .text(user.text), "app": .text(safety.app.text), "name": contact.map { .text($0.name.text) } ?? .null,
        "bound": .bool(theirs.judged.isBound), "source": .text(theirs.source.rawValue),
        "number": .array(safety.rows.map { .text($0) }), "users": .array(safety.users.map { .text($0.text) }),
        "text": .text(safety.text), "result": name.map { .text($0) } ?? .null,
        "trust": pin.map { .text($0.trust.rawValue) } ?? .null,
      ], lines: lines)
  }

  private static func words(_ result: SafetyComparison?) -> (name: String?, sentence: String) {
    switch result {
    case nil: (nil, "")
    case .same: ("same", "the same: verified")
    case .theyAreBehind(let user):
      (
        "they-are-behind",
        "not compared: the other side knows an older key of \(user): let them look again, then compare once more"
      )
    case .weAreBehind(let user):
      (
        "we-are-behind",
        "not compared: the other side knows newer records of \(user): be online or add a new card, then compare once more"
      )
    case .different: ("different", "")
    }
  }
}
