import ArgumentParser
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey revoke`
struct Revoke: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Stop the key in force, without a successor: the identity is locked until peerkey recover.",
    discussion: """
      With this keystore's key, or with the paper key alone. Where the paper key is at hand, peerkey recover is better: \
      it stops the key and brings in another one.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var paper: PaperInput

  @Option(help: "Why.") var reason: ReasonArgument = .compromised

  @Option(
    name: .customLong("compromised-since"),
    help: ArgumentHelp(
      "From when the key was in wrong hands; only with --reason compromised and the paper key.", valueName: "time"))
  var compromisedSince: TimeArgument?

  func validate() throws {
    guard compromisedSince == nil || reason == .compromised else {
      throw ValidationError("--compromised-since goes with --reason compromised")
    }
  }

  func perform() async throws -> Report {
    let paperKey = try paper.key()
    return try await OwnKeys.open(common, isDryRun: trial.dryRun) { keys in
      if let done = keys.finishedReport(of: .revoke) { return done }
      let head = try keys.state().head
      let signer = try paperKey?.recordSigner ?? keys.currentSigner()
      let result = try await keys.change(.revoke, isDryRun: trial.dryRun) { _, rise in
        var record = RecordDraft(.revoke, after: head, now: SystemClock().now())
        record.reason = reason.reason
        record.compromised = compromisedSince?.time
        record.incarnation += rise
        return try EndDraft.signed(record, by: signer, head: head)
      }
      return keys.report(result)
    }
  }
}

/// Records that stop a key: signed by that key itself, or approved and signed by another one (protocol §3).
enum EndDraft {
  static func signed(_ record: RecordDraft, by signer: any RecordSigner, head: KeyRecord) throws -> [UInt8] {
    let draft = record.draft
    if signer.verifyingKey == head.publicKey { return draft.signed(by: signer) }
    guard let text = draft.signed(approvedBy: [signer]) else { throw CommandFailure("nobody approves the record") }
    return text
  }
}
