import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI

/// The keys of admins that are on this machine.
struct AdminKeyOptions: ParsableArguments {
  @Option(
    name: .customLong("admin-key"),
    help: ArgumentHelp(
      "An admin's key file, made by `registrar keygen`, to sign with; may be repeated.", valueName: "file"))
  var files: [String] = []

  func signers() throws -> [SigningKey] {
    guard !files.isEmpty else { throw ValidationError("name at least one --admin-key to sign with") }
    return try files.map { try AdminKeyFile.read($0) }
  }
}

/// When something that several admins sign is handed in.
struct SittingOptions: ParsableArguments {
  @Option(
    name: .customLong("post-in"),
    help: ArgumentHelp(
      """
      How long from now it will be handed in: it is dated so, and taken from five minutes before to five minutes after. \
      (default: 4m, which leaves nine minutes from now)
      """, valueName: "span"))
  var span: SpanArgument?

  /// A minute less than a registrar takes: it may be handed in at once.
  private static let shortest: Milliseconds = 240_000

  var lead: Milliseconds { span?.milliseconds ?? Self.shortest }
}

/// A policy or adjudication as a file that admins sign.
struct AdminSheet {
  private var sheet: ApprovalSheet
  var app: AppID { sheet.app }

  init(_ draft: Draft) throws {
    guard let sheet = ApprovalSheet(draft) else { throw CommandFailure("the draft names no app") }
    self.sheet = sheet
  }

  private init(_ sheet: ApprovalSheet) { self.sheet = sheet }

  static func read(_ file: String, as type: ObjectType) throws -> AdminSheet {
    switch ApprovalSheet.read(try TextFile.read(file)) {
    case .success(let sheet) where sheet.draft.unsigned["type"]?.string == type.rawValue: return AdminSheet(sheet)
    case .success: throw CommandFailure("\(file) is no \(type.rawValue)")
    case .failure(let refusal):
      throw CommandFailure("\(file) is no \(type.rawValue), or damaged: \(Self.words(refusal)): draft it again")
    }
  }

  private static func words(_ refusal: Refusal) -> String {
    refusal.code.rawValue + (refusal.facts["pointer"]?.string.map { " at \"\($0)\"" } ?? "")
  }

  func signed(with keys: [SigningKey]) throws -> AdminSheet {
    var copy = sheet
    do throws(Refusal) {
      try copy.approve(by: keys)
    } catch {
      throw CommandFailure("cannot sign what no registrar would take: \(Self.words(error)): draft it again")
    }
    return AdminSheet(copy)
  }

  /// Signs a file in its place; from standard input, the signed one goes to standard output.
  static func sign(_ file: String, as type: ObjectType, with keys: [SigningKey]) throws {
    let signed = try read(file, as: type).signed(with: keys)
    if file == "-" {
      TextFile.print(signed.sheet.text)
    } else {
      try TextFile.replace(file, with: signed.sheet.text + [UInt8(ascii: "\n")])
    }
    for line in signed.lines { TextFile.say(line) }
  }

  /// Prints what is to be signed, for people.
  func show() { for line in lines { TextFile.print(Array(line.utf8)) } }

  /// Prints the file to sign; who signs, and in which order, is said beside it.
  func printDraft(for admins: Admins) throws {
    TextFile.print(sheet.text)
    for line in lines { TextFile.say(line) }
    let keys = admins.keys.map { Base64.encode($0.bytes32) }.sorted { $1.utf8.lexicographicallyPrecedes($0.utf8) }
    TextFile.say("to be signed by \(admins.threshold) of these admins; those who sign do so in this order:")
    for key in keys { TextFile.say("  \(key)") }
  }

  /// Hands it in, and prints the entry.
  func post(to app: any AppAccess) async throws {
    guard !sheet.approvals.isEmpty else { throw CommandFailure("nobody has signed this yet: use `sign` first") }
    if let key = sheet.missingFinisher {
      let key = Base64.encode(key.bytes32)
      throw CommandFailure("the admin \(key) must sign once more, as the last: see docs/admin.md")
    }
    switch try await app.submit(sheet.text, isDryRun: false) {
    case .accepted(let entry): TextFile.print(JSONValue.object(entry).text)
    case .refused(let code, let problem):
      let submission = try? Submission.verify(sheet.text, app: app.id).get()
      let explanation = Explanation(refused: code, problem, in: Explanation.Setting(submission: submission))
      throw CommandFailure(explanation.words.joined(separator: "; "))
    }
  }

  /// What is signed, and how far it is, for people.
  private var lines: [String] {
    let fields = sheet.draft.unsigned
    let modified = fields["modified"]?.integer ?? 0
    var lines = ["\(fields["type"]?.string ?? "") of \(app)"]
    for name in ["id", "admission", "boundSince", "contestWindow", "recordRead", "subject", "winner"] {
      guard let value = fields[name] else { continue }
      let text = value.string ?? String(decoding: CanonicalJSON.bytes(of: value), as: UTF8.self)
      lines.append("  \(name): \(PrintableText.line(text))")
    }
    lines += Self.lines(ofAdmins: fields["admins"]?.object)
    if (Limits.clockSkew...JSONValue.maxSafeInteger).contains(modified) {
      let (begin, end) = (TimeWords.utc(modified - Limits.clockSkew), TimeWords.utc(modified + Limits.clockSkew))
      lines.append("  to be handed in between \(begin) and \(end)")
    }
    for approval in sheet.approvals { lines.append("  approved by \(Base64.encode(approval.publicKey.bytes32))") }
    if let key = sheet.missingFinisher {
      lines.append("  \(Base64.encode(key.bytes32)) must sign once more, as the last")
    }
    return lines
  }

  /// One admin a line, so that none is overlooked.
  private static func lines(ofAdmins admins: JSONObject?) -> [String] {
    guard let admins else { return [] }
    let threshold = admins["threshold"]?.integer.map { "\($0)" } ?? "?"
    return ["  admins, of whom \(threshold) must approve later policies:"]
      + (admins["keys"]?.array ?? []).map { "    \(PrintableText.line($0.string ?? "?"))" }
  }
}
