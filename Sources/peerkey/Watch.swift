import ArgumentParser
import CommandArguments
import BatchVerifier
import Glibc
import KeyRecords
import Keystore
import PeerstackFormat
import RegistryClient
import RegistryConnection

/// `peerkey watch`
struct Watch: KeyCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what happens to your id, or to others, as it happens.",
    discussion: """
      Prints one line per entry, with --json one object. Every entry's form and signatures are verified before it is \
      shown, and the histories of your id and of pending records are judged from the first record on. When something \
      happened to your id that this keystore did not do, the command says so and ends with 3. It goes on over outages of \
      the registrar without loss or repetition. SIGINT and SIGTERM end it with 0.

      Watching your own id needs the password, to tell your own changes from a thief's: changes made with another copy of \
      the keystore count as somebody else's until you acknowledge them (peerkey acknowledge).

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions

  @Option(
    name: .customLong("user"),
    help: ArgumentHelp("A user to watch, any number of times; the keystore's own id unless given.", valueName: "id"))
  var users: [UserID] = []

  @Flag(help: "Watch every entry of the app.") var all = false

  @Option(
    help: ArgumentHelp("Begin behind this entry, or at the start. [default: from now on]", valueName: "index|start"))
  var after: FeedPlace?

  @Flag(help: "Go on when something happened to your id, instead of ending with 3.") var follow = false

  func validate() throws {
    guard users.isEmpty || !all else { throw ValidationError("--user or --all: give one of them") }
  }

  func perform() async throws -> Report {
    let sealed = try sealedKeystore()
    let app = try common.app(of: sealed)
    let address = try common.registrar(of: sealed, for: app)
    let wanted = all ? nil : Set(users.isEmpty ? [sealed?.id].compactMap(\.self) : users)
    Self.endOnSignals()
    let isOwnWatched = sealed.map { wanted?.contains($0.id) ?? true } ?? false
    let isForMembers = try await RegistrarLink.open(address, app: app, cache: common.cachePlace) { link in
      try await link.policies()?.current?.rules.recordRead == .members
    }
    let keystore = isOwnWatched || isForMembers ? try LiveKeystore(common.store) : nil
    let mark = keystore?.latest.state(in: app)?.mark.flatMap { mark in sealed.map { (user: $0.id, mark: mark) } }
    let reader = isForMembers ? keystore : nil
    let member: RegistrarLink.Member? = reader.map { reader in { @Sendable in reader.latest } }
    return try await RegistrarLink.open(
      address, app: app, cache: common.cachePlace, mark: mark, member: member
    ) { link in
      try await watch(link, wanted: wanted, own: isOwnWatched ? keystore.map { OwnDoing($0, app: app) } : nil)
    }
  }

  /// The keystore; nil where there is none and others are watched.
  private func sealedKeystore() throws -> SealedKeystore? {
    do throws(KeystoreError) {
      return try common.store.file.read()
    } catch {
      guard case .notFound = error, all || !users.isEmpty else { throw error }
      return nil
    }
  }

  private func watch(_ link: RegistrarLink, wanted: Set<UserID>?, own: OwnDoing?) async throws -> Report {
    let start: Int64
    if let after { start = after.index } else { start = try await link.latestIndex() }
    var feed = EntryFeed(link, after: start)
    let whom = wanted.map { $0.map(\.text).sorted().joined(separator: ", ") } ?? "everybody"
    Console.say("watching \(whom) in \(link.app) at \(link.address) from entry \(start + 1) on; ^C to end")
    while true {
      let entry = try await feed.next()
      guard wanted.map({ wanted in entry.content.subject.map(wanted.contains) ?? false }) ?? true else { continue }
      let shown = try await look(at: entry, link, own)
      try Console.answer(common.json ? shown.json.text : Array(shown.line.utf8))
      guard shown.isOwnDoing == false else { continue }
      Console.say(
        "peerkey: SOMETHING HAPPENED TO YOUR ID, and not by this keystore: look at peerkey history; if it was you on "
          + "another device, say so with peerkey acknowledge; if not, take the id back with peerkey recover "
          + "--reason compromised and the paper key")
      if !follow { throw ExitStatus.happened.code }
    }
  }

  /// Judges an entry about the own id, or one that is delayed, in the history that it is part of.
  private func look(at entry: Entry, _ link: RegistrarLink, _ own: OwnDoing?) async throws -> WatchedEntry {
    let isOwnID = own.map { entry.content.subject == $0.id } ?? false
    let isDelayed = entry.effective.map { $0 > entry.accepted } ?? false
    var known: ResolvedUser?
    if let subject = entry.content.subject, isOwnID || isDelayed {
      known = try await history(of: subject, with: entry, link)
    }
    let isOwnDoing = isOwnID ? try own?.isKnown(entry) : nil
    return WatchedEntry(entry: entry, known: known, isOwnDoing: isOwnDoing, paperKeys: own?.paperKeys ?? [])
  }

  /// The history, which must have the entry; nil if it cannot be had now, which is no reason to show nothing.
  private func history(of user: UserID, with entry: Entry, _ link: RegistrarLink) async throws -> ResolvedUser? {
    let known: ResolvedUser?
    do {
      known = try await link.history(of: user)
    } catch let failure as CommandFailure where failure.status == .unreachable {
      return nil
    }
    guard let known, known.state.records.contains(where: { $0.record == entry.content.hash }) else {
      throw CommandFailure(
        "\(link.address) announces entry \(entry.index) about \(user) and does not show it in the history: do not trust it",
        code: "conflict")
    }
    return known
  }

  private static func endOnSignals() {
    signal(SIGINT) { _ in _exit(0) }
    signal(SIGTERM) { _ in _exit(0) }
  }
}

/// Where to begin on the command line.
struct FeedPlace: ExpressibleByArgument {
  /// The last entry that is left out; -1 for none.
  let index: Int64

  init?(argument: String) {
    if argument == "start" {
      index = -1
    } else {
      guard let index = Int64(argument), index >= 0 else { return nil }
      self.index = index
    }
  }
}
