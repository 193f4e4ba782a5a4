import ArgumentParser
import Cryptography
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient

/// `peerkey new`
struct New: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make an identity: a key, a paper key, and an id that is bound to both.",
    discussion: """
      Writes a new keystore and prints the paper key, once: write it down and keep it where no thief of the device \
      looks. It outranks every key on a device, so it gets the identity back whatever a thief did. Then claim the id in \
      an app with peerkey claim.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var paper: PaperOutput

  @Flag(name: .customLong("no-paper"), help: "Make no paper key: who loses the keystore loses the identity.")
  var noPaper = false

  func perform() async throws -> Report {
    let now = SystemClock().now()
    let key = SigningKey.generate()
    let paperKey = noPaper ? nil : PaperKey.generate()
    let authority = try DefaultAuthority.with(paper: paperKey?.verifyingKey)
    let commitment = BoundID.Commitment(
      created: now, authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    guard let id = BoundID.id(for: commitment) else { throw CommandFailure("the clock is wrong: set it") }
    let app = try common.service.namedApp()
    let slot = NewSlot(
      name: "password", credential: try common.store.newPassword(), parameters: try common.store.parameters())
    try TextFile.makeFolder(of: common.store.path)
    let session = try common.store.file.create(id: id, key: key, at: now, slots: [slot])
    let claim = OriginalClaim(
      authority: authority, publicKey: key.verifyingKey, publicBoxKey: key.boxKey.publicKey)
    try session.noteOriginalClaim(claim)
    if let paperKey { try session.addPaperKey(paperKey.verifyingKey) }
    if let app { try session.addApp(app, registrars: []) }
    let (lines, json) = try paper.show(paperKey)
    return Report(
      json: JSONObject(
        [
          ("id", .text(id.text)), ("keystore", .text(common.store.path)),
          ("publicKey", .text(KeyText.text(key.verifyingKey))), ("authority", authority.json),
        ] + json), lines: ["made \(id) in \(common.store.path)"] + lines)
  }
}

/// The authority that our tools make (protocol §4).
enum DefaultAuthority {
  /// The name of the tier, fixed because a free choice would help who looks for two claims of one id (protocol §2.3).
  static let paperTier = "paper"

  static func with(paper key: VerifyingKey?) throws -> Authority {
    let paper = key.map { Tier.keys(name: paperTier, keys: [$0], threshold: 1, delay: 0) }
    guard let authority = Authority(tiers: [paper, .signer].compactMap(\.self)) else {
      throw CommandFailure("cannot make an authority")
    }
    return authority
  }
}

/// Where a new paper key goes.
struct PaperOutput: ParsableArguments {
  @Option(
    name: .customLong("paper-key-out"),
    help: ArgumentHelp(
      "Write the new paper key to a new file, for whoever prints it, instead of showing it.", valueName: "file"))
  var file: String?

  /// Shows a paper key, or writes it to the file.
  func show(_ key: PaperKey?) throws -> (lines: [String], json: [(JSONString, JSONValue)]) {
    guard let key else { return ([], [("paperKey", .null), ("paperKeyFile", .null)]) }
    let bytes = key.text.withBytes { $0.withUnsafeBufferPointer { Array($0) } }
    if let file {
      try TextFile.create(file, bytes + [UInt8(ascii: "\n")])
      return (
        ["the paper key is in \(file): print it, then delete the file"],
        [("paperKey", .null), ("paperKeyFile", .text(file))]
      )
    }
    let text = String(decoding: bytes, as: UTF8.self)
    return (
      [
        "", "Your paper key. It is shown only now, and kept nowhere: write it down, and keep it safe.", "",
        "    \(text)", "",
        "It gets your identity back when everything else is lost or stolen: peerkey recover.",
        "Whoever has it can take your identity.",
      ], [("paperKey", .text(text)), ("paperKeyFile", .null)]
    )
  }
}

/// A paper key that somebody has.
struct PaperInput: ParsableArguments {
  @Option(
    name: .customLong("paper-key-file"),
    help: ArgumentHelp("A file with the paper key.", valueName: "file"))
  var file: String?

  /// The key of the file; nil without one.
  func key() throws -> PaperKey? {
    guard let file else { return nil }
    return try Self.key(SecretFile.line(file), from: file)
  }

  /// The key of the file, or one typed on the terminal.
  func keyOrAsk() throws -> PaperKey {
    if let key = try key() { return key }
    return try Self.key(try Terminal.secret("paper key: ", else: "give --paper-key-file"), from: "what was typed")
  }

  private static func key(_ text: SecretBytes, from source: String) throws -> PaperKey {
    do throws(GroupedText.Failure) {
      return try PaperKey(text: text)
    } catch {
      throw CommandFailure("no paper key in \(source): \(error)", code: "paper-key")
    }
  }
}
