import ArgumentParser
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// Why a key is replaced, on the command line.
enum ReasonArgument: String, ExpressibleByArgument, CaseIterable {
  case routine
  case lost
  case compromised

  var reason: KeyRecord.Reason {
    switch self {
    case .routine: .routine
    case .lost: .lost
    case .compromised: .compromised
    }
  }
}

/// `peerkey rotate`
struct Rotate: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Replace the key in force with a new one.",
    discussion: """
      The old key approves the new one. Boxes sealed for the old key still open: it stays in the keystore. If the key \
      may be in wrong hands, use peerkey recover with the paper key instead: a thief can rotate as well.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions

  @Option(help: "Why.") var reason: ReasonArgument = .routine

  @Option(help: ArgumentHelp("From when the new key counts as retired.", valueName: "time"))
  var expires: TimeArgument?

  func perform() async throws -> Report {
    try await OwnKeys.open(common, isDryRun: trial.dryRun) { keys in
      if let done = keys.finishedReport(of: .rotate) { return done }
      let head = try keys.state().head
      let signer = try keys.currentSigner()
      let result = try await keys.change(.rotate, key: .generated, isDryRun: trial.dryRun) { key, rise in
        try RotateDraft.signed(
          after: head, key: key, rise: rise, approvedBy: signer, reason: reason.reason, expires: expires?.time)
      }
      return keys.report(result)
    }
  }
}

/// The record of a rotation.
enum RotateDraft {
  static func signed(
    after head: KeyRecord, key: IncomingKey?, rise: Int64, approvedBy signer: any RecordSigner,
    reason: KeyRecord.Reason = .routine, expires: Milliseconds? = nil
  ) throws -> [UInt8] {
    guard let key else { throw CommandFailure("there is no key to rotate to") }
    var record = RecordDraft(.rotate, after: head, now: SystemClock().now())
    record.publicKey = key.publicKey
    record.publicBoxKey = key.publicBoxKey
    record.reason = reason
    record.expires = expires
    record.incarnation += rise
    let draft = record.draft
    return draft.signed(approvals: [draft.approval(by: signer)], by: key.signer)
  }
}

extension OwnKeys {
  /// The report of an earlier change of this kind that this command has finished instead of making another one.
  func finishedReport(of action: KeyRecord.Action) -> Report? {
    guard let change = finished.last(where: { $0.action == action }), let known else { return nil }
    return Report(
      json: JSONObject(
        [
          ("id", .text(id.text)), ("app", .text(app.text)), ("action", .text(action.rawValue)),
          ("dryRun", .bool(false)), ("effect", "effective"), ("finished", .bool(true)),
          ("publicKey", change.publicKey.map { .text(KeyText.text($0)) } ?? .null),
        ] + known.json), lines: ["the \(action.rawValue) begun \(TimeWords.utc(change.begun)) is done"])
  }
}
