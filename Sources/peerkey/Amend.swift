import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey amend`
struct Amend: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Change who may act, when the key expires, or where updates are; or change nothing, as a veto.",
    discussion: """
      Without anything new it is a veto: it stops a record that is pending at this rank or below. The key in force may \
      change the tiers from its own on; with the paper key, from the paper's own on.

      Example, two of three friends, with three days in which you can stop them:
        peerkey amend --add-tier friends --tier-key KEY --tier-key KEY --tier-key KEY --threshold 2 --delay 3d

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions
  @OptionGroup var paper: PaperInput
  @OptionGroup var tiers: TierOptions

  @Option(help: ArgumentHelp("When the key in force counts as retired; never to take that back.", valueName: "time"))
  var expires: String?

  @Option(
    name: .customLong("source-url"),
    help: ArgumentHelp("A further registrar that may know of updates; none to take it back.", valueName: "url"))
  var sourceURL: String?

  func validate() throws {
    if let expires, expires != "never", TimeText.time(expires) == nil {
      throw ValidationError("\"\(expires)\" is no time: give one like 2027-01-31, or never")
    }
  }

  func perform() async throws -> Report {
    let paperKey = try paper.key()
    return try await OwnKeys.open(common, isDryRun: trial.dryRun) { keys in
      if let done = keys.finishedReport(of: .amend) { return done }
      let head = try keys.state().head
      let authority = try tiers.apply(to: head.authority)
      let result = try await keys.amend(head, paper: paperKey, isDryRun: trial.dryRun) { record in
        record.authority = authority
        if let expires { record.expires = TimeText.time(expires) }
        if let sourceURL { record.sourceURL = sourceURL == "none" ? nil : sourceURL }
      }
      return keys.report(result, lines: authority.tiers.enumerated().map { "  \($0) \($1.words)" })
    }
  }
}

extension OwnKeys {
  /// Makes a record with the same keys.
  func amend(
    _ head: KeyRecord, paper: PaperKey?, isDryRun: Bool, _ edit: (inout RecordDraft) -> Void
  ) async throws -> ChangeResult {
    let signer = try currentSigner()
    return try await change(.amend, isDryRun: isDryRun) { _, rise in
      var record = RecordDraft(.amend, after: head, now: SystemClock().now())
      edit(&record)
      record.incarnation += rise
      let draft = record.draft
      let approvals = paper.map { [draft.approval(by: $0.recordSigner)] } ?? []
      return draft.signed(approvals: approvals, by: signer)
    }
  }
}

/// A tier to be added, or names of those to be removed.
struct TierOptions: ParsableArguments {
  @Option(
    name: .customLong("add-tier"),
    help: ArgumentHelp(
      "Add a tier of keys, in place of one of the same name; registrar adds the app's admins.", valueName: "name"))
  var add: String?

  @Option(
    name: .customLong("tier-key"),
    help: ArgumentHelp("A key of the tier, in base64, as peerkey show prints it; may be repeated.", valueName: "key"))
  var keys: [VerifyingKey] = []

  @Option(help: ArgumentHelp("How many of the keys must approve.", valueName: "n")) var threshold = 1

  @Option(help: ArgumentHelp("How long what the tier does can be stopped, as 3d or 12h.", valueName: "span"))
  var delay: SpanArgument?

  @Flag(name: .customLong("above-signer"), help: "Put the tier directly above the key in force, not at the end.")
  var aboveSigner = false

  @Option(
    name: .customLong("remove-tier"), help: ArgumentHelp("Remove a tier; may be repeated.", valueName: "name"))
  var remove: [String] = []

  func validate() throws {
    guard add != nil || (keys.isEmpty && delay == nil && !aboveSigner) else {
      throw ValidationError("--tier-key, --delay and --above-signer go with --add-tier")
    }
    guard add == nil || add == Self.registrar || !keys.isEmpty else {
      throw ValidationError("a tier needs keys: give --tier-key")
    }
    guard add != "signer" && !remove.contains("signer") else {
      throw ValidationError("the signer's tier is always there, once")
    }
  }

  private static let registrar = "registrar"
  private static let registrarDelay: Milliseconds = 7 * 24 * 3_600_000

  /// The authority with the changes.
  func apply(to authority: Authority) throws -> Authority {
    var tiers = authority.tiers
    for name in remove {
      guard tiers.contains(where: { $0.name == name }) else {
        throw CommandFailure("there is no tier \(name) to remove", code: "no-tier")
      }
      tiers.removeAll { $0.name == name && $0 != .signer }
    }
    if let add { Self.insert(try tier(add), into: &tiers, aboveSigner: aboveSigner) }
    guard let changed = Authority(tiers: tiers) else {
      throw CommandFailure("there can be at most \(Limits.tiers.upperBound) tiers: remove one", code: "invalid-field")
    }
    return changed
  }

  private func tier(_ name: String) throws -> Tier {
    if name == Self.registrar { return .registrar(delay: delay?.milliseconds ?? Self.registrarDelay) }
    guard (1...keys.count).contains(threshold) else {
      throw ValidationError("--threshold is 1 to the number of keys")
    }
    return .keys(name: name, keys: keys, threshold: threshold, delay: delay?.milliseconds ?? 0)
  }

  /// In place of a tier of the same name; else above the signer, or at the end, but before the registrar.
  private static func insert(_ tier: Tier, into tiers: inout [Tier], aboveSigner: Bool) {
    if let place = tiers.firstIndex(where: { $0.name == tier.name && $0 != .signer }) {
      tiers[place] = tier
    } else if aboveSigner {
      tiers.insert(tier, at: tiers.firstIndex(of: .signer) ?? 0)
    } else if tier.name != registrar, tiers.last?.name == registrar {
      tiers.insert(tier, at: tiers.count - 1)
    } else {
      tiers.append(tier)
    }
  }
}
