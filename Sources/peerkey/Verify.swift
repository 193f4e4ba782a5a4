import ArgumentParser
import BatchVerifier
import Glibc

/// `peerkey verify`
struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Judge signed peerstack objects, one JSON object a line on standard input.",
    discussion: """
      Prints one line per object, in their order: {"line":1,"id":"…","verdict":"…","reason":"…"}. Only LF ends a line.

      With --users alone the keys in that file decide: valid, invalid, or unresolved when the signer is not in the file, \
      also for an object that vouches for itself. A line that is no JSON object, or longer than 16 MiB, is invalid.

      With --registrar (and without --users, with PEERKEY_REGISTRAR) signers are looked up there, many at a time, and \
      what it says of them is judged from their first record on: valid, suspect, invalid, unresolved or conflict. A file \
      then decides on those that the registrar does not know. When the registrar cannot be reached, or with --offline, \
      what it said of them within the last seven days decides, or else the cards of contacts.

      With --quarantine objects of signers who may still become known are put into the quarantine, to be judged again by \
      peerkey quarantine retry.

      Exit codes: 0 when all objects were judged, whatever the verdicts; 1 when the users file cannot be read or is \
      none, or input or output fail on the way; 64 for arguments that cannot be; 69 when the registrar could not be \
      reached, and the objects it was needed for are unresolved.
      """)

  @Option(help: ArgumentHelp("JSON file of signers: user ids, each with its User object.", valueName: "file"))
  var users: String?

  @OptionGroup var service: RegistrarOptions
  @OptionGroup var store: KeystoreOptions
  @OptionGroup var cache: CacheOptions
  @OptionGroup var offline: OfflineOptions

  @Flag(help: "Put objects of signers who are not known yet into the quarantine.") var quarantine = false

  @Option(help: "Threads that verify; one per processor unless given.")
  var threads: Int = BatchPipeline.processors

  func validate() throws {
    guard (1...1_024).contains(threads) else { throw ValidationError("--threads takes 1 to 1024") }
  }

  func run() async throws {
    let signers = try users.map { try readUsers($0) }
    if let signers, service.registrarFlag == nil {
      guard !quarantine else { throw ValidationError("--quarantine needs --registrar: a file learns of nobody new") }
      return try await run { SignerFileJudge(signers: signers) }
    }
    let place = cache.place(beside: store)
    if quarantine, case .memory = place {
      throw ValidationError("the quarantine is in the cache: leave --no-cache out")
    }
    try await RegistrarLink.openReading(
      try service.address(), app: try service.app(), cache: place, isOffline: offline.isOffline, keystore: store
    ) { link in
      await link.considerCards()
      let watched = WatchedSigners(link.resolver, since: link.opened)
      let waiting = quarantine ? WaitingObjects(link.store) : nil
      try await run { RegistrarJudge(signers: watched, file: signers, waiting: waiting) }
      try conclude(link, watched, waiting)
    }
  }

  /// What was said of the registrar and the quarantine beside the verdicts.
  private func conclude(_ link: RegistrarLink, _ watched: WatchedSigners, _ waiting: WaitingObjects?) throws {
    if let waiting { Console.say(try waiting.summary()) }
    if watched.kept.count > 0 {
      Console.say(
        "note: \(watched.kept.count) signers were judged by what \(link.address) said up to "
          + "\(TimeText.age(of: watched.kept.oldest)) ago")
    }
    guard let reason = watched.unavailable else { return }
    let failure = link.failure(
      "some signers could not be looked up, and their objects are unresolved", unavailable: reason)
    Console.say("peerkey: \(failure.description)")
    throw failure.status.code
  }

  private func run(_ makeJudge: @escaping @Sendable () -> some ChunkJudge) async throws {
    let pipeline = BatchPipeline(
      input: .standardInput, output: .standardOutput, threads: threads, maxLineBytes: SignerFileJudge.maxLineBytes)
    let progress = Descriptor.standardError.isTerminal ? ProgressLine(unit: "objects") : nil
    _ = try await pipeline.run(progress: { lines in progress?.show(lines) }, makeJudge: makeJudge)
    progress?.finish()
  }

  private func readUsers(_ users: String) throws -> SignerFile {
    let step = "cannot read the users file \(users)"
    let number = open(users, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { throw StreamFailure(step, number: errno) }
    defer { close(number) }
    guard let text = try Descriptor(number).readAll(limit: SignerFile.maxBytes, step: step) else {
      throw CommandFailure("\(step): it has more than \(SignerFile.maxBytes) bytes")
    }
    do {
      return try SignerFile(text)
    } catch {
      throw CommandFailure("\(step): \(error)")
    }
  }
}
