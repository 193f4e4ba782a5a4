import ArgumentParser
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey retire`
struct Retire: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "End the identity in an app, for good.",
    discussion: """
      Nobody can ever claim or recover the id in this app again. Only the highest tier may do it: the paper key, where \
      there is one.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var paper: PaperInput

  @Flag(help: "Do not ask.") var yes = false

  func perform() async throws -> Report {
    let paperKey = try paper.key()
    return try await OwnKeys.open(common, isDryRun: trial.dryRun) { keys in
      if let done = keys.finishedReport(of: .retire) { return done }
      let head = try keys.state().head
      let signer = try paperKey?.recordSigner ?? keys.currentSigner()
      if !yes && !trial.dryRun {
        try Terminal.confirm(
          "This ends \(keys.id) in \(keys.app) for good; nobody can undo it.", by: keys.id.text, else: "give --yes")
      }
      let result = try await keys.change(.retire, isDryRun: trial.dryRun) { _, rise in
        var record = RecordDraft(.retire, after: head, now: SystemClock().now())
        record.incarnation += rise
        return try EndDraft.signed(record, by: signer, head: head)
      }
      return keys.report(result)
    }
  }
}
