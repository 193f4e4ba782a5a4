import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords

struct PolicyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Change an app's policy.",
    discussion: """
      Where all the keys that must sign are on one machine, `set` does it in one step. Else `draft` makes a file, each \
      admin signs it where the key is, one after the other, and `post` hands it in. A policy is good for five minutes \
      before and after the time it is dated: see --post-in.
      """,
    subcommands: [Draft.self, SignSheet<SignedPolicy>.self, PostSheet<SignedPolicy>.self, Set.self])

  struct Draft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a policy to be signed. What no flag says stays as it is in force.")

    @Argument(help: "The app's id.") var app: AppID
    @OptionGroup var change: PolicyChangeOptions
    @OptionGroup var sitting: SittingOptions
    @OptionGroup var access: AccessOptions

    func run() async throws {
      let (policy, now) = try await access.withApp(app) { try await $0.policy() }
      let rules = try change.changed(policy.rules, now: now)
      let draft = rules.draft(app: app, after: policy, now: now + sitting.lead)
      try AdminSheet(draft).printDraft(for: policy.rules.admins)
    }
  }

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draft, sign and hand in a policy with keys that are on this machine, and print its entry.")

    @Argument(help: "The app's id.") var app: AppID
    @OptionGroup var keys: AdminKeyOptions
    @OptionGroup var change: PolicyChangeOptions
    @OptionGroup var access: AccessOptions

    func run() async throws {
      let signers = try keys.signers()
      try await access.withApp(app) { app in
        let (policy, now) = try await app.policy()
        let draft = try change.changed(policy.rules, now: now).draft(app: app.id, after: policy, now: now)
        try await AdminSheet(draft).signed(with: signers).post(to: app)
      }
    }
  }
}

/// The fields of a policy that change; what is not given stays.
struct PolicyChangeOptions: ParsableArguments {
  @Option(
    name: .customLong("admin"),
    help: ArgumentHelp("An admin's public key; repeated, these are all admins then.", valueName: "key"))
  var admins: [VerifyingKey] = []

  @Option(help: ArgumentHelp("How many admins must approve.", valueName: "n"))
  var threshold: Int?

  @Option(help: ArgumentHelp("Who may claim: open or invite.", valueName: "who"))
  var admission: PolicyRules.Admission?

  @Option(
    help: ArgumentHelp(
      "Ids made since this time (milliseconds since 1970) must be bound: `now`, `never` or a number.",
      valueName: "time"))
  var boundSince: String?

  @Option(
    help: ArgumentHelp("How long after a first claim rival claims are let in, as 7d; 0: none.", valueName: "span"))
  var contestWindow: SpanArgument?

  @Option(help: ArgumentHelp("Who may read keys and histories: public or members.", valueName: "who"))
  var recordRead: PolicyRules.RecordRead?

  func changed(_ rules: PolicyRules, now: Milliseconds) throws -> PolicyRules {
    var new = rules
    let keys = admins.isEmpty ? rules.admins.keys : admins
    guard let changed = Admins(keys: keys, threshold: threshold ?? rules.admins.threshold) else {
      throw ValidationError("1 to 16 different admins, and a threshold of at most as many, make a policy")
    }
    new.admins = changed
    new.admission = admission ?? rules.admission
    if let boundSince { new.boundSince = try PolicyOptions.boundSinceTime(boundSince, now) }
    new.contestWindow = contestWindow?.milliseconds ?? rules.contestWindow
    guard Limits.contestWindow.contains(new.contestWindow) else {
      throw ValidationError("a contest window has at most 30d")
    }
    new.recordRead = recordRead ?? rules.recordRead
    guard new != rules else { throw ValidationError("this changes nothing: name a field and its new value") }
    return new
  }
}
