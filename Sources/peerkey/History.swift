import ArgumentParser
import CommandArguments
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// `peerkey history`
struct History: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show every key record of the identity, or of another one.",
    discussion: "Needs no password.\n\n\(Peerkey.exitCodes)")

  @OptionGroup var common: CommonOptions
  @OptionGroup var offline: OfflineOptions

  @Argument(help: "A user id; the keystore's unless given.") var user: UserID?

  func perform() async throws -> Report {
    let sealed = user == nil ? try common.store.file.read() : nil
    guard let id = user ?? sealed?.id else { throw ValidationError("which user: give an id") }
    let app = try common.app(of: sealed)
    let address = try common.registrar(of: sealed, for: app)
    return try await RegistrarLink.openReading(
      address, app: app, cache: common.cachePlace, isOffline: offline.isOffline, keystore: common.store
    ) { link in
      guard let known = try await link.history(of: id, orKept: true) else {
        throw CommandFailure("nobody has claimed \(id) in \(app)", code: ProblemCode.unknownUser.rawValue)
      }
      link.noteKept([known])
      let entries = known.judged.history.entries
      let statuses = Dictionary(known.state.records.map { ($0.index, $0) }) { first, _ in first }
      let json = entries.compactMap { try? JSONValue.parseStrict($0.text, maxDepth: Limits.depth + 1) }
      let lines = entries.map { Self.line($0, statuses[$0.index]) }
      return Report(
        json: JSONObject(
          [("id", .text(id.text)), ("app", .text(app.text)), ("entries", .array(json))] + known.json),
        lines: ["\(id) in \(app) at \(address)"] + lines)
    }
  }

  static func line(_ entry: Entry, _ status: UserState.RecordStatus?) -> String {
    var line = "\(entry.index)  \(TimeWords.utc(entry.accepted))  "
    if let record = entry.record {
      line += "\(record.sequence) \(record.action.rawValue)"
      if let reason = record.reason { line += " (\(reason.rawValue))" }
      line += ", key \(KeyText.short(record.publicKey))"
    } else {
      line += "adjudication"
    }
    if let rank = entry.rank { line += ", at rank \(rank)" }
    line += ": \(status?.status ?? "unknown")"
    if status?.status == "pending", let effective = status?.effective { line += " until \(TimeWords.utc(effective))" }
    return line
  }
}
