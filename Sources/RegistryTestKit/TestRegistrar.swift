public import Cryptography
public import KeyRecords
import PeerstackFormat
import RegistryAPI
public import RegistryClient

/// A registrar in memory that keeps the rules, behind the client's transport, and lies if it is told to.
public actor TestRegistrar: RegistryTransport {
  /// Changes an honest answer before it is sent; nil leaves it as it is.
  public typealias Lie = @Sendable (RegistryRequest, RegistryAnswer) -> RegistryAnswer?

  /// The app it serves.
  public nonisolated let app: AppID
  /// Whose key its policies are signed with.
  public nonisolated let admin: SigningKey

  private let clock: any ClientClock
  private var policies: AppHistory
  private var histories: [UserID: KeyHistory] = [:]
  private var nextIndex: Int64 = 0
  private var lie: Lie?
  private var failures: [TransportFailure] = []
  private var feeds: [AsyncStream<RegistryFeedEvent>.Continuation] = []
  private var isHeld = false
  private var held: [CheckedContinuation<Void, Never>] = []
  /// Bytes of entries in an answer to `resolve` after which the rest goes to `more`.
  private var answerBytes = APILimits.resolveAnswerBytes

  /// The requests that came, in their order.
  public private(set) var requests: [RegistryRequest] = []
  /// Requests whose task was cancelled while they were held.
  public private(set) var cancelledCount = 0

  /// A registrar whose app was created just now.
  public init?(app: AppID, clock: any ClientClock, rules: (@Sendable (Admins) -> PolicyRules)? = nil) {
    self.app = app
    self.clock = clock
    admin = SigningKey.generate()
    policies = AppHistory(app: app)
    guard let admins = Admins(keys: [admin.verifyingKey], threshold: 1) else { return nil }
    let rules = rules?(admins) ?? .standard(admins: admins, created: clock.now())
    let now = clock.now()
    let draft = rules.draft(app: app, after: nil, now: now)
    guard let text = draft.signed(approvedBy: [admin]),
      case .success(let submission) = Submission.verify(text, app: app)
    else { return nil }
    policies.append(Entry(index: 0, accepted: now, effective: now, rank: nil, content: submission))
    nextIndex = 1
  }

  // MARK: Records

  /// Why a record was not accepted.
  public struct Refused: Error {
    /// The code.
    public let code: ProblemCode
  }

  /// Accepts a record, a policy or an adjudication.
  @discardableResult
  public func submit(_ text: [UInt8]) throws -> Entry {
    let submission = try Submission.verify(text, app: app).mapError { Refused(code: $0.code) }.get()
    // Looked at once: what an entry says of its times is held against each other.
    let now = clock.now()
    if case .policy(let policy) = submission { return try append(policies.judge(policy, at: now), submission, at: now) }
    guard let user = submission.subject, let rules = policies.current?.rules else { throw Refused(code: .unknownApp) }
    let history = histories[user] ?? KeyHistory(app: app, subject: user)
    let view = Circumstances.RegistrarView(isKeyUsedElsewhere: false)
    let circumstances = Circumstances(now: now, policy: rules, registrarView: view)
    return try append(judge(submission, in: history, at: circumstances), submission, at: now)
  }

  private func append(_ verdict: Verdict, _ submission: Submission, at now: Milliseconds) throws -> Entry {
    switch verdict {
    case .same(let entry): return entry
    case .refused(let refusal): throw Refused(code: refusal.code)
    case .accepted(let acceptance):
      let entry = Entry(
        index: nextIndex, accepted: now, effective: acceptance.effective, rank: acceptance.rank,
        content: submission)
      nextIndex += 1
      if let user = submission.subject, let rules = policies.current?.rules {
        histories[user, default: KeyHistory(app: app, subject: user)].append(entry, under: rules)
      } else {
        policies.append(entry)
      }
      for feed in feeds { feed.yield(.text(entry.text)) }
      return entry
    }
  }

  /// The record in force.
  public func head(of user: UserID) -> KeyRecord? { histories[user]?.state(at: clock.now())?.head }

  /// All entries of a user.
  public func entries(of user: UserID) -> [Entry] { histories[user]?.entries ?? [] }

  /// The policy chain.
  public func policyChain() -> AppHistory { policies }

  /// Forgets everything about a user, as after a restore from an old backup.
  public func forget(_ user: UserID) { histories[user] = nil }

  /// Puts another registrar's entries in place of a user's.
  public func replace(_ user: UserID, with history: KeyHistory?) { histories[user] = history }

  /// The history of a user.
  public func history(of user: UserID) -> KeyHistory? { histories[user] }

  // MARK: Behaviour

  /// Lies from now on; nil: is honest again.
  public func lie(_ lie: Lie?) { self.lie = lie }

  /// The next requests fail so, one after the other.
  public func fail(_ failures: [TransportFailure]) { self.failures = failures }

  /// Requests wait until ``release()``.
  public func hold() { isHeld = true }

  /// Lets what waits go on.
  public func release() {
    isHeld = false
    for continuation in held { continuation.resume() }
    held = []
  }

  /// Sets the size of an answer.
  public func setAnswerBytes(_ bytes: Int) { answerBytes = bytes }

  /// Forgets the requests that came.
  public func forgetRequests() { requests = [] }

  // MARK: Transport

  /// See ``RegistryTransport``.
  public func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    requests.append(request)
    if isHeld { try await wait() }
    if !failures.isEmpty { throw failures.removeFirst() }
    let honest = honestAnswer(request)
    let answer = lie?(request, honest) ?? honest
    guard answer.body.count <= request.maxAnswerBytes else { throw .tooLarge }
    return answer
  }

  private func wait() async throws(TransportFailure) {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled { continuation.resume() } else { held.append(continuation) }
      }
    } onCancel: {
      Task { await self.wakeAll() }
    }
    guard !Task.isCancelled else {
      cancelledCount += 1
      throw .cancelled
    }
    if isHeld { try await wait() }
  }

  private func wakeAll() {
    let waiting = held
    held = []
    for continuation in waiting { continuation.resume() }
  }

  /// Opens a feed from the `after` of the target on.
  public func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    feedTargets.append(target)
    if !failures.isEmpty { throw failures.removeFirst() }
    guard let text = target.split(separator: "=").last, let after = Int64(text) else { throw .malformed("no after") }
    let (frames, sink) = AsyncStream.makeStream(of: RegistryFeedEvent.self)
    if after >= nextIndex {
      sink.yield(.closed(EventClose.futureCursor.rawValue))
      sink.finish()
    } else {
      for entry in allEntries where entry.index > after { sink.yield(.text(entry.text)) }
      feeds.append(sink)
    }
    return TestFeed(frames, sink)
  }

  /// The targets of the feeds that were opened.
  public private(set) var feedTargets: [String] = []

  /// Closes every feed.
  public func closeFeeds() {
    for feed in feeds {
      feed.yield(.closed(EventClose.goingAway.rawValue))
      feed.finish()
    }
    feeds = []
  }

  private var allEntries: [Entry] {
    (policies.entries + histories.values.flatMap(\.entries)).sorted { $0.index < $1.index }
  }

  private func honestAnswer(_ request: RegistryRequest) -> RegistryAnswer {
    switch (request.method, request.target) {
    case (.post, APIPath.resolve.path(of: app)): return resolve(request.body ?? [])
    case (.get, APIPath.policies.path(of: app)):
      let tag = "\"\(policies.current?.hash.hex ?? "")\""
      if request.headers.contains(where: { $0.name == "If-None-Match" && $0.value == tag }) {
        return RegistryAnswer(status: 304, headers: [("ETag", tag)], body: [])
      }
      return RegistryAnswer(
        status: 200, headers: [("ETag", tag)],
        body: Array("{\"entries\":[".utf8) + Self.list(policies.entries) + Array("]}".utf8))
    case (.get, APIPath.app.path(of: app)):
      return RegistryAnswer(status: 200, body: Array("{\"index\":\(nextIndex - 1)}".utf8))
    default: return Self.problem(.notFound)
    }
  }

  /// The answer of a registrar that refuses.
  public static func problem(_ code: ProblemCode, retryAfter: Int? = nil) -> RegistryAnswer {
    let headers = retryAfter.map { [(name: "Retry-After", value: String($0))] } ?? []
    return RegistryAnswer(status: code.status, headers: headers, body: Problem(code).body)
  }

  private static func list(_ entries: some Sequence<Entry>) -> [UInt8] {
    Array(entries.map(\.text).joined(separator: [UInt8(ascii: ",")]))
  }

  private func resolve(_ body: [UInt8]) -> RegistryAnswer {
    let request: ResolveRequest
    switch ResolveRequest.read(body) {
    case .failure(let refusal): return Self.problem(refusal.code)
    case .success(let read): request = read
    }
    var users: [[UInt8]] = []
    var (unknown, more): ([UserID], [UserID]) = ([], [])
    var bytes = 0
    for user in request.ids {
      guard let entries = histories[user]?.entries else {
        unknown.append(user)
        continue
      }
      let known = request.have[user].flatMap { hash in entries.firstIndex { $0.content.hash == hash } }
      var included: [Entry] = []
      for entry in entries.dropFirst(known.map { $0 + 1 } ?? 0) {
        guard bytes == 0 || bytes + entry.text.count <= answerBytes else {
          more.append(user)
          break
        }
        bytes += entry.text.count
        included.append(entry)
      }
      if included.isEmpty && more.last == user { continue }
      users.append(Array("\"\(user)\":{\"entries\":[".utf8) + Self.list(included) + Array("]}".utf8))
    }
    func names(_ users: [UserID]) -> String { users.map { "\"\($0)\"" }.joined(separator: ",") }
    let head = "{\"asOf\":{\"index\":\(nextIndex - 1),\"time\":\(clock.now())},\"users\":{"
    let tail = "},\"unknown\":[\(names(unknown))],\"more\":[\(names(more))]}"
    return RegistryAnswer(
      status: 200,
      body: Array(head.utf8) + users.joined(separator: [UInt8(ascii: ",")]) + Array(tail.utf8))
  }
}

/// A feed of a ``TestRegistrar``.
private struct TestFeed: RegistryFeed {
  private let frames: AsyncStream<RegistryFeedEvent>
  private let sink: AsyncStream<RegistryFeedEvent>.Continuation

  init(_ frames: AsyncStream<RegistryFeedEvent>, _ sink: AsyncStream<RegistryFeedEvent>.Continuation) {
    self.frames = frames
    self.sink = sink
  }

  func next() async throws(TransportFailure) -> RegistryFeedEvent {
    var iterator = frames.makeAsyncIterator()
    let event = await iterator.next()
    guard !Task.isCancelled else { throw .cancelled }
    return event ?? .closed(nil)
  }

  func send(_ text: [UInt8]) async throws(TransportFailure) {}

  func close() async { sink.finish() }
}
