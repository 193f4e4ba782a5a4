import ArgumentParser
import KeyRecords
import Keystore
import PeerstackFormat

/// `peerkey paper`
struct Paper: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Replace the paper key with a new one.",
    discussion: """
      The old paper key must approve: nobody but its holder can take it away. An identity without one gets its first. \
      The new key is shown only when the registrar has taken it.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var paper: PaperInput
  @OptionGroup var output: PaperOutput

  func perform() async throws -> Report {
    let old = try paper.key()
    return try await OwnKeys.open(common, isDryRun: trial.dryRun) { keys in
      let head = try keys.state().head
      let new = PaperKey.generate()
      let authority = try Self.authority(head.authority, old: old, new: new)
      // Shown before it counts: a paper key that counts and was lost on the way could never be replaced.
      let (lines, json) = trial.dryRun ? ([], []) : try output.show(new)
      if !trial.dryRun {
        try keys.session.addPaperKey(new.verifyingKey)
        if !common.json { lines.forEach(Console.say) }
      }
      do {
        let result = try await keys.amend(head, paper: old, isDryRun: trial.dryRun) { $0.authority = authority }
        if !trial.dryRun, let old { try? keys.session.removePaperKey(old.verifyingKey) }
        return keys.report(result, json: json)
      } catch {
        if !trial.dryRun { Console.say("The paper key above does NOT count. Keep the old one.") }
        throw error
      }
    }
  }

  private static func authority(_ authority: Authority, old: PaperKey?, new: PaperKey) throws -> Authority {
    let tier = Tier.keys(name: DefaultAuthority.paperTier, keys: [new.verifyingKey], threshold: 1, delay: 0)
    var tiers = authority.tiers
    if let place = tiers.firstIndex(where: { tier in old.map { tier.names($0.verifyingKey) } ?? false }) {
      tiers[place] = tier
    } else if tiers.contains(where: { $0.name == DefaultAuthority.paperTier }) {
      throw CommandFailure(
        "there is a paper key already, which must approve: give it with --paper-key-file", code: "paper-key")
    } else {
      tiers.insert(tier, at: 0)
    }
    guard let changed = Authority(tiers: tiers) else {
      throw CommandFailure("there can be at most \(Limits.tiers.upperBound) tiers: remove one", code: "invalid-field")
    }
    return changed
  }
}
