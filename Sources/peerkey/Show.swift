import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryConnection

/// `peerkey show`
struct Show: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the identity of a keystore, and how it stands at the registrar.",
    discussion: """
      Needs no password. With --password-file it also says which keys this keystore holds, and holds the registrar to \
      what the keystore remembers of the history; records that the keystore did not make are listed, with an alarm on \
      standard error. Without a registrar it shows what the file shows.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var offline: OfflineOptions

  func perform() async throws -> Report {
    let sealed = try common.store.file.read()
    var lines = ["id          \(sealed.id)", "keystore    \(common.store.path) (written \(sealed.revision) times)"]
    var json: [(JSONString, JSONValue)] = [
      ("id", .text(sealed.id.text)), ("keystore", .text(common.store.path)), ("revision", .integer(sealed.revision)),
      ("apps", .array(sealed.apps.map { app in Self.json(app, sealed) })),
      ("paperKeys", .array(sealed.paperKeys.map { .text(KeyText.text($0)) })),
      ("slots", .array(sealed.slots.map { ["name": .text($0.name), "kind": .text($0.kind.rawValue)] })),
    ]
    let app = try common.service.namedApp() ?? (sealed.apps.count == 1 ? sealed.apps.first : nil)
    guard let app, let address = try? common.registrar(of: sealed, for: app) else {
      lines.append("apps        \(sealed.apps.map(\.text).joined(separator: ", "))")
      return Report(json: JSONObject(json), lines: lines)
    }
    let keystore = common.store.hasPasswordFile ? try common.store.unlock() : nil
    let member: RegistrarLink.Member? = keystore.map { keystore in { @Sendable in keystore } }
    let mark = keystore?.state(in: app)?.mark.map { (user: sealed.id, mark: $0) }
    return try await RegistrarLink.open(
      address, app: app, cache: common.cachePlace, isOffline: offline.isOffline, mark: mark, member: member
    ) { link in
      lines += ["app         \(app) at \(address)"]
      json.append(("app", .text(app.text)))
      if let keystore { json.append(("changes", .array(keystore.changes.map(Self.json)))) }
      guard let known = try await link.history(of: sealed.id, orKept: true) else {
        json += [("registrar", .text(address.description)), ("state", .null)]
        return Report(json: JSONObject(json), lines: lines + ["status      not claimed: peerkey claim"])
      }
      link.noteKept([known])
      let held = keystore.map { Set($0.keys.map(\.publicKey)) }
      let foreign = keystore.map { Self.foreign(known, to: $0, in: app) } ?? []
      if let keystore, keystore.state(in: app)?.recordsAfter != nil {
        json.append(("foreign", .array(foreign.map(\.summary))))
      }
      if !foreign.isEmpty { Console.say(Self.alarm) }
      return Report(
        json: JSONObject(json + known.json),
        lines: lines + known.lines(held: held) + foreign.map { "NOT YOURS   \($0.summaryWords)" })
    }
  }

  private static let alarm =
    "peerkey: THE HISTORY OF YOUR ID HAS RECORDS THAT THIS KEYSTORE DID NOT MAKE: if it was you on another device, say "
    + "so with peerkey acknowledge; if not, take the id back with peerkey recover --reason compromised and the paper key"

  /// The entries that the keystore did not make. None of a keystore that has kept no hashes yet.
  private static func foreign(_ known: ResolvedUser, to keystore: OpenKeystore, in app: AppID) -> [Entry] {
    guard keystore.state(in: app)?.recordsAfter != nil else { return [] }
    return known.judged.history.entries.filter { !keystore.accountsFor($0.content.hash, at: $0.index, in: app) }
  }

  private static func json(_ app: AppID, _ keystore: SealedKeystore) -> JSONValue {
    ["app": .text(app.text), "registrars": .array(keystore.registrars(of: app).map { .text($0) })]
  }

  private static func json(_ change: KeyChange) -> JSONValue {
    [
      "number": .integer(change.number), "app": .text(change.app.text), "action": .text(change.action.rawValue),
      "begun": .integer(change.begun), "effective": change.effective.map { .integer($0) } ?? .null,
    ]
  }
}
