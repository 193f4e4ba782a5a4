import ArgumentParser
import CommandArguments
import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryAPI

struct AdjudicateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adjudicate", abstract: "Decide between rival claims of an id.",
    discussion: """
      Without --winner the claims are shown. With it, and the admin keys on this machine, it is decided; else `draft` \
      makes a file, each admin signs it where the key is, and `post` hands it in. The first claim stands by itself 30 \
      days after the first rival.
      """,
    subcommands: [Decide.self, Draft.self, SignSheet<SignedAdjudication>.self, PostSheet<SignedAdjudication>.self],
    defaultSubcommand: Decide.self)

  struct Decide: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the claims, or decide with keys that are on this machine.")

    @OptionGroup var contest: ContestOptions
    @Option(help: ArgumentHelp("The record hash of the claim that stands.", valueName: "hash"))
    var winner: RecordHash?
    @OptionGroup var keys: AdminKeyOptions
    @Flag(help: "Show the claims as JSON.") var json = false
    @OptionGroup var access: AccessOptions

    func run() async throws {
      let signers = winner == nil ? [] : try keys.signers()
      try await access.withApp(contest.app) { app in
        let rivals = try await RivalClaims(of: contest.user, in: app)
        guard let winner else {
          rivals.print(isJSON: json)
          return
        }
        let draft = try await rivals.draft(winner: winner, in: app, lead: 0)
        try await AdminSheet(draft).signed(with: signers).post(to: app)
      }
    }
  }

  struct Draft: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print an adjudication to be signed.")

    @OptionGroup var contest: ContestOptions
    @Option(help: ArgumentHelp("The record hash of the claim that stands.", valueName: "hash"))
    var winner: RecordHash
    @OptionGroup var sitting: SittingOptions
    @OptionGroup var access: AccessOptions

    func run() async throws {
      try await access.withApp(contest.app) { app in
        let rivals = try await RivalClaims(of: contest.user, in: app)
        let draft = try await rivals.draft(winner: winner, in: app, lead: sitting.lead)
        try AdminSheet(draft).printDraft(for: try await app.policy().policy.rules.admins)
      }
    }
  }
}

/// Whose claims.
struct ContestOptions: ParsableArguments {
  @Argument(help: "The app's id.") var app: AppID
  @Argument(help: "The user's id.") var user: UserID
}

/// The claims of a contest that is open.
struct RivalClaims {
  private let user: UserID
  private let claims: [Entry]

  init(of user: UserID, in app: any AppAccess) async throws {
    guard let state = try await app.state(of: user) else {
      throw CommandFailure("nobody has claimed \(user) in \(app.id)")
    }
    guard let hashes = state["claims"]?.array?.compactMap({ $0.string.flatMap { RecordHash($0) } }) else {
      let status = state["status"]?.string.flatMap(UserState.Status.init(rawValue:))?.rawValue ?? "not contested"
      throw CommandFailure("\(user) is \(status): there is nothing to decide")
    }
    self.user = user
    let entries = try await app.entries(of: user)
    claims = hashes.compactMap { hash in entries.first { $0.content.hash == hash } }
  }

  func draft(winner: RecordHash, in app: any AppAccess, lead: Milliseconds) async throws -> Draft {
    guard claims.contains(where: { $0.content.hash == winner }) else {
      throw CommandFailure("\(winner) is no claim of \(user): see `registrar adjudicate \(app.id) \(user)`")
    }
    return Adjudication.draft(winner: winner, of: user, app: app.id, now: try await app.policy().now + lead)
  }

  /// When the first claim stands if nothing is decided: 30 days after the first rival.
  private var end: Milliseconds? { claims.dropFirst().first.map { $0.accepted + Limits.contestDuration } }

  func print(isJSON: Bool) {
    if isJSON { return TextFile.print(json.text) }
    for (place, entry) in claims.enumerated() {
      guard let record = entry.record else { continue }
      TextFile.print(Array("\(place == 0 ? "first claim" : "rival") \(entry.content.hash)".utf8))
      TextFile.print(Array("  key       \(Base64.encode(record.publicKey.bytes32))".utf8))
      TextFile.print(Array("  accepted  \(TimeWords.utc(entry.accepted))".utf8))
      TextFile.print(Array("  the id is \(BoundID.isBound(record) ? "bound" : "not bound") to it".utf8))
    }
    guard let end else { return }
    TextFile.print(Array("the first claim stands on \(TimeWords.utc(end)) if nothing is decided".utf8))
  }

  private var json: JSONValue {
    let claims = claims.compactMap { entry -> JSONValue? in
      guard let record = entry.record else { return nil }
      return [
        "record": .text(entry.content.hash.hex), "publicKey": .text(Base64.encode(record.publicKey.bytes32)),
        "accepted": .integer(entry.accepted), "index": .integer(entry.index), "bound": .bool(BoundID.isBound(record)),
      ]
    }
    return ["user": .text(user.text), "claims": .array(claims), "ends": end.map { .integer($0) } ?? .null]
  }
}
