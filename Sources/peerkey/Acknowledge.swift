import ArgumentParser
import CommandArguments
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// `peerkey acknowledge`
struct Acknowledge: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say that records about your id are your own, made on another device.",
    discussion: """
      A keystore counts every record that it did not make as somebody else's: peerkey watch ends with 3 for it, and \
      peerkey show lists it, with its hash. This shows such records as the registrar has them, and after a confirmation \
      notes them in the keystore, for good. It brings no key here, and cannot be taken back: do it only for what you did \
      yourself.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Flag(help: "Do not ask: it was you.") var yes = false

  @Argument(help: ArgumentHelp("The hash of a record, as peerkey show prints it.", valueName: "hash"))
  var records: [RecordHash]

  func perform() async throws -> Report {
    try await OwnKeys.open(common) { keys in
      let entries = try Self.entries(records, in: keys)
      let foreign = entries.filter { !keys.keystore.accountsFor($0.content.hash, at: $0.index, in: keys.app) }
      if !foreign.isEmpty && !yes {
        foreign.flatMap { Self.describe($0, keys.status(of: $0.content.hash)) }.forEach(Console.say)
        try Terminal.confirm(
          "Was this you, on another device? This keystore will never warn of it again.", by: "yes", else: "give --yes")
      }
      if !foreign.isEmpty { try keys.session.acknowledge(foreign.map(\.content.hash), in: keys.app) }
      return Report(
        json: [
          "id": .text(keys.id.text), "app": .text(keys.app.text), "acknowledged": .array(foreign.map(\.summary)),
        ],
        lines: foreign.isEmpty
          ? ["there is nothing to acknowledge: this keystore knows of it"]
          : foreign.map { "yours now   \($0.summaryWords)" })
    }
  }

  /// The entries of these records, each once, in the order of the history; a failure if one is not there.
  private static func entries(_ hashes: [RecordHash], in keys: OwnKeys) throws -> [Entry] {
    _ = try keys.state()
    for hash in hashes where keys.status(of: hash) == nil {
      throw CommandFailure(
        "the history of \(keys.id) in \(keys.app) has no record \(hash.hex): see peerkey show",
        code: ProblemCode.unknownRecord.rawValue)
    }
    let wanted = Set(hashes)
    return (keys.known?.judged.history.entries ?? []).filter { wanted.contains($0.content.hash) }
  }

  /// What a record says, whole.
  private static func describe(_ entry: Entry, _ status: UserState.RecordStatus?) -> [String] {
    var lines = [History.line(entry, status), "  record    \(entry.content.hash.hex)"]
    guard let record = entry.record else { return lines }
    lines.append("  key       \(KeyText.text(record.publicKey))")
    if let expires = record.expires { lines.append("  expires   \(TimeWords.utc(expires))") }
    if let compromised = record.compromised {
      lines.append("  void      what lower tiers did since \(TimeWords.utc(compromised))")
    }
    if let url = record.sourceURL { lines.append("  names     \(url)") }
    return lines
      + record.authority.tiers.enumerated().map { ($0 == 0 ? "  may act   " : "            ") + "\($0) \($1.words)" }
  }
}

extension Entry {
  /// What names an entry about one's own id.
  var summary: JSONValue {
    [
      "index": .integer(index), "record": .text(content.hash.hex), "action": .text(action),
      "accepted": .integer(accepted),
    ]
  }

  /// The same for people.
  var summaryWords: String { "\(action), entry \(index) of \(TimeWords.utc(accepted)), record \(content.hash.hex)" }

  /// What a record does, or what the entry is instead.
  var action: String {
    switch content {
    case .record(let record): record.action.rawValue
    case .policy: "policy"
    case .adjudication: "adjudication"
    }
  }
}
