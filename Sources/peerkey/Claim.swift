import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey claim`
struct Claim: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Claim the id in an app.",
    discussion: """
      An id may be claimed in any number of apps, always with what it was first claimed with, because a bound id proves \
      itself by that. Where that first key has been replaced since, it is replaced here at once too.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var trial: TrialOptions

  @Option(help: ArgumentHelp("An invitation, where the app wants one.", valueName: "file"))
  var invitation: String?

  func perform() async throws -> Report {
    let invitation = try invitation.map { try TextFile.read($0, limit: Limits.recordBytes) }
    if let invitation, (try? JSONValue.parseStrict(invitation)) == nil {
      throw CommandFailure("\(self.invitation ?? "") holds no invitation: give the JSON that an admin made")
    }
    return try await OwnKeys.open(common, isDryRun: trial.dryRun, isClaim: true, invitation: invitation) { keys in
      if let done = try Self.claimed(keys) { return done }
      let original = try Self.original(keys, isDryRun: trial.dryRun)
      let result = try await keys.change(
        .claim, key: .held(original.publicKey), isDryRun: trial.dryRun, invitation: invitation
      ) { key, _ in
        guard let key else { throw CommandFailure("the key of the claim is not in this keystore") }
        let draft = RecordDraft(
          claim: keys.id, app: keys.app, publicKey: key.publicKey, publicBoxKey: original.publicBoxKey,
          authority: original.authority, modified: SystemClock().now())
        return draft.draft.signed(by: key.signer)
      }
      let advice = Self.paperAdvice(original, keys)
      guard !trial.dryRun, result.status?.status == "effective", let successor = Self.successor(of: original, keys)
      else { return keys.report(result, lines: advice) }
      let rotated = try await Self.rotate(to: successor, keys)
      return keys.report(
        rotated,
        lines: ["the id was claimed with its first key, which is replaced elsewhere, and here now too"] + advice,
        json: [("claim", .text(result.record.hash.hex))])
    }
  }

  /// The report of an id that this keystore has claimed already.
  private static func claimed(_ keys: OwnKeys) throws -> Report? {
    guard let known = keys.known else { return nil }
    let own = [known.state.firstClaim.publicKey, known.state.currentKey?.publicKey].compactMap(\.self)
    guard own.contains(where: { keys.keystore.recordSigner(for: $0) != nil }) else { return nil }
    return Report(
      json: JSONObject(
        [
          ("id", .text(keys.id.text)), ("app", .text(keys.app.text)), ("action", "claim"), ("effect", "same"),
        ] + known.json), lines: ["\(keys.id) is claimed in \(keys.app) already"])
  }

  /// What the id was first claimed with; noted now if this is the first time.
  private static func original(_ keys: OwnKeys, isDryRun: Bool) throws -> OriginalClaim {
    if let original = keys.keystore.originalClaim { return original }
    // An id that was made elsewhere, or whose first key is lost.
    guard keys.keystore.apps.allSatisfy({ $0.current == nil && $0.former.isEmpty }), let key = keys.keystore.keys.first,
      let box = keys.keystore.publicBoxKey(for: key.publicKey)
    else {
      throw CommandFailure(
        "this keystore does not have the key that the id was first claimed with: it cannot be claimed in a further app",
        code: "no-original-claim")
    }
    let original = OriginalClaim(
      authority: try DefaultAuthority.with(paper: keys.keystore.paperKeys.first), publicKey: key.publicKey,
      publicBoxKey: box)
    if !isDryRun { try keys.session.noteOriginalClaim(original) }
    return original
  }

  /// The key that has taken the place of the first one in other apps; nil while it is still in force somewhere, or
  /// nowhere has been claimed.
  private static func successor(of original: OriginalClaim, _ keys: OwnKeys) -> VerifyingKey? {
    let others = keys.keystore.apps.filter { $0.app != keys.app }.compactMap(\.current)
    return others.contains(original.publicKey) ? nil : others.first
  }

  /// A paper key that was replaced elsewhere counts here all the same: the claim is the first one.
  private static func paperAdvice(_ original: OriginalClaim, _ keys: OwnKeys) -> [String] {
    for case .keys(DefaultAuthority.paperTier, let papers, _, _) in original.authority.tiers
    where !papers.contains(where: keys.keystore.paperKeys.contains) {
      return ["here the FIRST paper key counts, as in the first claim: replace it with peerkey paper"]
    }
    return []
  }

  private static func rotate(to key: VerifyingKey, _ keys: OwnKeys) async throws -> ChangeResult {
    let head = try keys.state().head
    let signer = try keys.currentSigner()
    return try await keys.change(.rotate, key: .held(key), isDryRun: false) { key, rise in
      try RotateDraft.signed(after: head, key: key, rise: rise, approvedBy: signer)
    }
  }
}

/// Whether something is only tried.
struct TrialOptions: ParsableArguments {
  @Flag(name: .customLong("dry-run"), help: "Ask the registrar what would happen, and do nothing.")
  var dryRun = false
}
