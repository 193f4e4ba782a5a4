import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// `peerkey approve`
struct Approve: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Approve a friend's recovery.",
    discussion: """
      Reads a request as peerkey recover prints it (mail around it does no harm), shows what it is about, and after a \
      confirmation prints an approval to send back. Compare the digits with your friend by voice: anybody can write a \
      request. With a registrar, the request is held against the history that the registrar shows.

      An app's admins approve with --key-file, the file of registrar keygen.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Option(
    name: .customLong("key-file"),
    help: ArgumentHelp("An admin's key, as registrar keygen writes it, instead of the keystore.", valueName: "file"))
  var keyFile: String?

  @Flag(help: "Do not ask: the digits were compared.") var yes = false

  @Argument(help: ArgumentHelp("A file with the request; - for standard input.", valueName: "file"))
  var request: String = "-"

  func perform() async throws -> Report {
    let text = try TextFile.read(request, limit: CarriedText.maxBytes)
    guard let request = ApprovalRequest(text: text) else {
      throw CommandFailure("this is no request, or a damaged one: ask for the text again", code: "request")
    }
    let keystore = keyFile == nil ? try common.store.unlock() : nil
    guard keystore?.id != request.subject else {
      throw CommandFailure("this would change your own keys: use rotate or recover, not approve", code: "own-request")
    }
    let authority = try await checkedAuthority(request)
    let signer = try signer(keystore, authority ?? request.authority)
    if !yes {
      Self.describe(request, authority).forEach(Console.say)
      try Terminal.confirm(
        "Has \(request.subject) told you these digits: \(request.checkDigits)?", by: "yes", else: "give --yes")
    }
    let answer = ApprovalAnswer(
      hash: request.draft.approvalHash, approval: request.draft.approval(by: signer))
    return Report(
      json: [
        "id": .text(request.subject.text), "app": .text(request.app.text), "action": .text(request.action.rawValue),
        "publicKey": .text(KeyText.text(signer.verifyingKey)), "digits": .text(request.checkDigits),
        "checked": .bool(authority != nil), "until": .integer(request.deadline), "approval": .text(answer.text),
      ], lines: [answer.text])
  }

  /// The authority that the request is for, as a registrar shows it; nil without a registrar.
  private func checkedAuthority(_ request: ApprovalRequest) async throws -> Authority? {
    guard let address = Settings.text(common.service.registrarFlag, "PEERKEY_REGISTRAR") else { return nil }
    return try await RegistrarLink.open(
      try common.service.address(address), app: request.app, cache: common.cachePlace
    ) { link in
      guard let known = try await link.history(of: request.subject) else {
        throw CommandFailure("nobody has claimed \(request.subject) in \(request.app)", code: "unknown-user")
      }
      guard known.state.head.hash == request.previous else {
        throw CommandFailure(
          "the request does not build on the newest record of \(request.subject): ask for a new one", code: "stale-head"
        )
      }
      return known.state.head.authority
    }
  }

  private func signer(_ keystore: OpenKeystore?, _ authority: Authority) throws -> any RecordSigner {
    if let keyFile { return try Self.adminKey(keyFile) }
    guard let keystore else { throw CommandFailure("there is no key to approve with") }
    // Whoever chose the tier may have done so when another key was in force.
    let held = keystore.keys.reversed().map(\.publicKey)
    let key = held.first { key in authority.tiers.contains { $0.names(key) } }
    guard let key, let signer = keystore.recordSigner(for: key) else {
      throw CommandFailure("no key of this keystore may act for the one who asks", code: "not-authorised")
    }
    return signer
  }

  /// Reads `{"publicKey","secretKey"}` in peerstack's spelling.
  private static func adminKey(_ path: String) throws -> any RecordSigner {
    let text = try TextFile.read(path, limit: CarriedText.maxBytes)
    guard let secret = (try? JSONValue.parseLenient(text))?.object?["secretKey"]?.jsonString,
      let key = try? PeerstackKeys.signingKey(secret)
    else { throw CommandFailure("\(path) holds no secret key: give a file of registrar keygen") }
    return key
  }

  private static func describe(_ request: ApprovalRequest, _ authority: Authority?) -> [String] {
    var lines = [
      "\(request.subject) in \(request.app) asks for: \(request.action.rawValue)"
        + (request.reason.map { " (\($0.rawValue))" } ?? ""),
      "new key     \(KeyText.text(request.publicKey))", "good until  \(TimeWords.utc(request.deadline))",
      "digits      \(request.checkDigits)",
    ]
    if let compromised = request.compromised {
      lines.append("void        what lower tiers did since \(TimeWords.utc(compromised))")
    }
    lines += request.authority.tiers.enumerated().map {
      ($0 == 0 ? "may act     " : "            ") + "\($0) \($1.words)"
    }
    if let authority, authority != request.authority { lines.append("It CHANGES who may act.") }
    lines.append(authority == nil ? "Not checked with a registrar." : "The registrar shows the record it builds on.")
    return lines
  }
}
