import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient

/// Reads an app's feed entry by entry, without a gap and without repetition, over as many connections as that takes.
struct EntryFeed {
  private let link: RegistrarLink
  /// The index of the last entry that was read; -1 before the first.
  private(set) var cursor: Int64
  private var feed: (any RegistryFeed)?
  private var failures = 0

  private static let firstPause = Duration.milliseconds(250)
  private static let longestPause = Duration.seconds(15)
  private static let longestDoubling = 10

  init(_ link: RegistrarLink, after cursor: Int64) {
    self.link = link
    self.cursor = cursor
  }

  /// The next entry: its form and signatures hold, and it is the one after the last. Waits for it, however long the
  /// registrar is away.
  mutating func next() async throws -> Entry {
    while true {
      switch await event() {
      case .success(.text(let text)):
        let entry = try read(text)
        if failures > 0 { Console.say("note: \(link.address) is there again") }
        failures = 0
        cursor = entry.index
        return entry
      case .success(.closed(EventClose.futureCursor.rawValue)):
        throw lie("it has no entry \(cursor) any more, or never had: it was set back, or --after is too high")
      case .success(.closed): try await pause("note: \(link.address) has closed the feed: trying again")
      case .failure(.tooLarge): throw lie("it sent more than an entry can have")
      case .failure(.cancelled): throw CancellationError()
      case .failure(let failure):
        let trouble = RegistrarTrouble.transport(failure).failure("the feed stops", at: link.address)
        try await pause("note: \(trouble.description); trying again until it is there")
      }
    }
  }

  private mutating func event() async -> Result<RegistryFeedEvent, TransportFailure> {
    do throws(TransportFailure) {
      let open: any RegistryFeed
      if let feed { open = feed } else { open = try await link.feed(after: cursor) }
      feed = open
      return .success(try await open.next())
    } catch {
      return .failure(error)
    }
  }

  private func read(_ text: [UInt8]) throws -> Entry {
    guard let value = try? JSONValue.parseStrict(text, maxDepth: JSONLimits.strictMaxDepth + 1) else {
      throw lie("it sent what is no entry")
    }
    switch Entry.verify(value, app: link.app) {
    case .failure(let refusal): throw lie("an entry after \(cursor) does not hold: \(refusal.code.rawValue)")
    case .success(let entry):
      guard entry.index == cursor + 1 else { throw lie("after entry \(cursor) it sent entry \(entry.index)") }
      return entry
    }
  }

  private func lie(_ reason: String) -> CommandFailure {
    CommandFailure("do not trust the feed of \(link.address): \(reason)", code: "conflict")
  }

  /// Waits longer each time, and not as long as others who lost the same registrar.
  private mutating func pause(_ note: String) async throws {
    await feed?.close()
    feed = nil
    if failures == 0 { Console.say(note) }
    let pause = Self.firstPause * (1 << min(failures, Self.longestDoubling))
    failures += 1
    try await Task.sleep(for: min(pause, Self.longestPause) * Double.random(in: 0.5...1))
  }
}

extension RegistrarLink {
  /// Bytes of a frame: an entry with a record of 8 KiB, and room.
  private static let frameBytes = 64 << 10
  private static let appAnswerBytes = 64 << 10

  /// Opens the app's feed behind an entry; -1 for all of it.
  func feed(after index: Int64) async throws(TransportFailure) -> any RegistryFeed {
    var target = APIPath.events.path(of: app) + (index >= 0 ? "?after=\(index)" : "")
    let request = RegistryRequest(.get, target, maxAnswerBytes: Self.frameBytes, timeout: Self.timeout)
    if let credentials = await authorization?(request) {
      target += (index >= 0 ? "&" : "?") + "authorization=" + Self.escaped(credentials)
    }
    return try await transport.events(target: target, maxFrameBytes: Self.frameBytes)
  }

  /// What of a scheme and base64 may not stand in a query as it is.
  private static func escaped(_ credentials: String) -> String {
    credentials.reduce(into: "") { text, character in
      switch character {
      case " ": text += "%20"
      case "+": text += "%2B"
      case "/": text += "%2F"
      case "=": text += "%3D"
      default: text.append(character)
      }
    }
  }

  /// The index of the app's latest entry.
  func latestIndex() async throws -> Int64 {
    let request = RegistryRequest(
      .get, APIPath.app.path(of: app), maxAnswerBytes: Self.appAnswerBytes, timeout: Self.timeout)
    let step = "cannot watch \(app)"
    switch await answer(to: request) {
    case .failure(let failure): throw RegistrarTrouble.transport(failure).failure(step, at: address)
    case .success(let answer):
      if let trouble = RegistrarTrouble(answer) { throw trouble.failure(step, at: address) }
      let fields = try? JSONValue.parseStrict(answer.body, maxDepth: JSONLimits.strictMaxDepth + 1).object
      guard let index = fields?["index"]?.integer else {
        throw CommandFailure("\(address) does not answer as a registrar does: check the address", status: .unreachable)
      }
      return index
    }
  }
}
