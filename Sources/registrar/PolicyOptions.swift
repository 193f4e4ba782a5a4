public import ArgumentParser
import CommandArguments
import Cryptography
public import KeyRecords

/// The fields of a policy (protocol §7).
struct PolicyOptions: ParsableArguments {
  @Option(
    name: .customLong("admin-key"),
    help: ArgumentHelp(
      "An admin's key file, made by `registrar keygen`, to sign with; may be repeated.", valueName: "file"))
  var adminKeyFiles: [String] = []

  @Option(
    name: .customLong("admin"),
    help: ArgumentHelp(
      "A further admin's public key, who need not sign if the threshold is met; may be repeated.", valueName: "key"))
  var furtherAdmins: [VerifyingKey] = []

  @Option(help: ArgumentHelp("How many admins must approve.", valueName: "n"))
  var threshold = 1

  @Option(help: ArgumentHelp("Who may claim: open or invite.", valueName: "who"))
  var admission: PolicyRules.Admission = .open

  @Option(
    help: ArgumentHelp(
      "Ids made since this time (milliseconds since 1970) must be bound: `now`, `never` or a number.",
      valueName: "time"))
  var boundSince = "now"

  @Option(
    help: ArgumentHelp(
      "How long after a first claim rival claims are let in, as 7d (default: 0, none).", valueName: "span"))
  var contestWindow: SpanArgument?

  @Option(help: ArgumentHelp("Who may read keys and histories: public or members.", valueName: "who"))
  var recordRead: PolicyRules.RecordRead = .public

  func rules(signers: [SigningKey], now: Milliseconds) throws -> PolicyRules {
    let keys = signers.map(\.verifyingKey) + furtherAdmins
    guard let admins = Admins(keys: keys, threshold: threshold) else {
      throw ValidationError("1 to 16 different admins, and a threshold of at most as many, make a policy")
    }
    let window = contestWindow?.milliseconds ?? 0
    guard Limits.contestWindow.contains(window) else { throw ValidationError("a contest window has at most 30d") }
    return PolicyRules(
      admins: admins, admission: admission, boundSince: try Self.boundSinceTime(boundSince, now), contestWindow: window,
      recordRead: recordRead)
  }

  func firstPolicy(of app: AppID, now: Milliseconds) throws -> [UInt8] {
    let signers = try adminKeyFiles.map { try AdminKeyFile.read($0) }
    let rules = try rules(signers: signers, now: now)
    guard let text = rules.draft(app: app, after: nil, now: now).signed(approvedBy: signers) else {
      throw ValidationError("name at least one --admin-key to sign with: make one with `registrar keygen FILE`")
    }
    return text
  }

  /// What `--bound-since` says.
  static func boundSinceTime(_ text: String, _ now: Milliseconds) throws -> Milliseconds? {
    switch text {
    case "now": return now
    case "never": return nil
    default:
      guard let time = Milliseconds(text), time >= 0 else {
        throw ValidationError("--bound-since is \"\(text)\": give now, never or milliseconds since 1970")
      }
      return time
    }
  }
}

extension PolicyRules.Admission: ExpressibleByArgument {}
extension PolicyRules.RecordRead: ExpressibleByArgument {}
