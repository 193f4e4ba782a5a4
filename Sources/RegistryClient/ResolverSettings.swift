public import KeyRecords

/// A registrar as an app knows it.
public struct Registrar: Sendable {
  /// Makes the value of `Authorization` for a request, where an app lets only members read; nil: none.
  public typealias Authorization = @Sendable (RegistryRequest) async -> String?

  /// What it is called in pins and evidence: its base URL. It must not change, or its pins are another registrar's.
  public let name: String
  /// How it is reached.
  public let transport: any RegistryTransport
  /// The hash of the app's first policy there, where the app knows it.
  public let firstPolicy: RecordHash?
  /// How long one exchange may take.
  public let timeout: Duration
  /// Signs requests.
  public let authorization: Authorization?

  /// A registrar.
  public init(
    name: String, transport: any RegistryTransport, firstPolicy: RecordHash? = nil, timeout: Duration = .seconds(10),
    authorization: Authorization? = nil
  ) {
    self.name = name
    self.transport = transport
    self.firstPolicy = firstPolicy
    self.timeout = timeout
    self.authorization = authorization
  }
}

/// How a resolver goes about it. The defaults are good for most apps.
public struct ResolverSettings: Sendable {
  /// Where the `sourceUrl` of a record leads; nil for what is not to be asked.
  public typealias Hints = @Sendable (_ sourceURL: String) -> HintedRegistrar?

  /// How long calls are collected before they become one request.
  public var batchWindow: Duration = .milliseconds(3)
  /// Requests to one registrar under way at once.
  public var requestsAtOnce = 4
  /// Users that wait to be asked for, per registrar; more are unavailable at once.
  public var maxQueued = 100_000
  /// How often a request is tried.
  public var attempts = 3
  /// The pause before the second try; it doubles with each.
  public var firstPause: Duration = .milliseconds(200)
  /// No pause is longer; a registrar that asks for more is given up for now.
  public var longestPause: Duration = .seconds(5)
  /// How long what a registrar confirmed is fresh.
  public var freshFor: Milliseconds = 60_000
  /// How long it is good enough to go on with while no registrar can be asked.
  public var usableFor: Milliseconds = 7 * 24 * 3_600_000
  /// How long an id counts as unknown, or in conflict, before it is asked for again.
  public var negativeFor: Milliseconds = 5_000
  /// How long a registrar that failed is left alone by calls that can do without it.
  public var restAfterFailure: Milliseconds = 2_000
  /// Histories kept in memory, per registrar.
  public var maxHistories = 20_000
  /// Bytes of records kept in memory, per registrar.
  public var maxHistoryBytes = 128 << 20
  /// Bytes of all answers to one look-up.
  public var maxAnswerBytes = 64 << 20
  /// How registrars are reached that records name (`RegistryNetwork.hints`); nil: they are not asked.
  public var hints: Hints?
  /// Whether look-ups wait for them, at most ``HintLimits/timeout`` twice, and ask again when they are to ask always: for
  /// commands. Else what hints show comes with a later look-up, and in the resolver's notices.
  public var areHintsAwaited = false
  /// How far they are asked.
  public var hintLimits = HintLimits()

  /// The defaults.
  public init() {}
}
