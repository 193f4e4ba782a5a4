import Cryptography
import KeyRecords
import Logging
import Postgres
import PostgresTestSupport
import Registry
import RegistryAPI
import Synchronization
import Testing

/// A clock that tests set. Elapsed time goes with it unless it is made to jump.
final class TestClock: Sendable {
  private let time: Atomic<Int64>
  private let jump = Atomic<Int64>(0)

  init(_ start: Milliseconds = 1_780_000_000_000) { time = Atomic(start) }

  var now: Milliseconds { time.load(ordering: .relaxed) + jump.load(ordering: .relaxed) }
  var elapsed: Duration { .milliseconds(time.load(ordering: .relaxed)) }
  /// Lets time pass.
  func advance(by span: Milliseconds) { time.add(span, ordering: .relaxed) }
  /// Sets the clock wrong, or right again.
  func setJump(_ span: Milliseconds) { jump.store(span, ordering: .relaxed) }
}

/// A schema of its own, in which registries are started.
final class Fixture: Sendable {
  let postgres: PostgresConfiguration
  let clock = TestClock()
  let loop = TestLoop()
  let readLoop = TestLoop()
  let app: AppID
  let admin = SigningKey.generate()
  private let registries = Mutex<[Registry]>([])

  /// - Parameter schema: made, migrated, and left to the end of the cluster.
  init(
    _ schema: String, app: AppID? = nil, database: TestDatabase? = nil,
    configure: (inout PostgresConfiguration) -> Void = { _ in }
  ) async throws {
    let database = try database ?? TestDatabase.shared.get()
    let session = PostgresSession(configuration: try database.configuration(), loop: loop)
    try await session.transaction { try await $0.query(PreparedStatement("make_schema", "create schema \(schema)")) }
    session.close()
    var postgres = try database.configuration(schema: schema)
    configure(&postgres)
    self.postgres = postgres
    self.app = try app ?? #require(AppID(schema.split(separator: "_").joined(separator: ".")))
    _ = try await Registry.migrationRunner(postgres).migrate()
  }

  func configuration(memoryBytes: Int = 64 << 20) -> RegistryConfiguration {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    var configuration = RegistryConfiguration(postgres: postgres, memoryBytes: memoryBytes, logger: logger)
    configuration.clock = { [clock] in clock.now }
    configuration.monotonicClock = { [clock] in clock.elapsed }
    return configuration
  }

  func registry(memoryBytes: Int = 64 << 20) async throws -> Registry {
    let registry = try await Registry.start(
      configuration(memoryBytes: memoryBytes), readLoops: [readLoop, loop], commitLoop: loop)
    registries.withLock { $0.append(registry) }
    return registry
  }

  /// The app in a registry, created if it is not there.
  func app(
    in registry: Registry, _ change: (inout PolicyRules) -> Void = { _ in }
  ) async throws -> RegistryApp {
    if let app = try await registry.app(app) { return app }
    let outcome = try await registry.createApp(try policy(change), id: app)
    guard case .created = outcome else { throw Unexpected(outcome) }
    return try #require(try await registry.app(app))
  }

  func policy(_ change: (inout PolicyRules) -> Void = { _ in }) throws -> [UInt8] {
    let admins = try #require(Admins(keys: [admin.verifyingKey], threshold: 1))
    var rules = PolicyRules.standard(admins: admins, created: clock.now)
    change(&rules)
    return try #require(rules.draft(app: app, after: nil, now: clock.now).signed(approvedBy: [admin]))
  }

  /// What a check says, as lines.
  func differences() async throws -> [String] {
    try await Registry.check(postgres, loop: loop).differences.map(\.description)
  }

  /// Runs statements as the owner of the schema.
  @discardableResult
  func sql(_ text: String, role: String? = nil, _ values: [PostgresValue] = []) async throws -> PostgresRows {
    var configuration = postgres
    configuration.role = role
    let session = PostgresSession(configuration: configuration, loop: loop)
    defer { session.close() }
    return try await session.transaction { try await $0.query(PreparedStatement("sql", text), values) }
  }

  func stop() async {
    for registry in registries.withLock({ $0 }) { await registry.stop() }
    loop.stop()
    readLoop.stop()
  }
}

struct Unexpected: Error, CustomStringConvertible {
  let description: String
  init(_ outcome: SubmissionOutcome) {
    description =
      switch outcome {
      case .created(let text): "created \(String(decoding: text, as: UTF8.self))"
      case .repeated(let text): "repeated \(String(decoding: text, as: UTF8.self))"
      case .refused(let refusal): "refused \(refusal)"
      }
  }
  init(_ description: String) { self.description = description }
}

/// How many fixtures there are at once: each has about ten connections for every registry.
actor Places {
  static let shared = Places()

  private var free = 12
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  func leave() {
    if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
  }
}

/// Runs a test with a fixture, and ends it whatever happens.
func withFixture(
  _ schema: String, app: AppID? = nil, database: TestDatabase? = nil,
  configure: (inout PostgresConfiguration) -> Void = { _ in }, _ body: (Fixture) async throws -> Void
) async throws {
  await Places.shared.enter()
  defer { Task { await Places.shared.leave() } }
  let fixture = try await Fixture(schema, app: app, database: database, configure: configure)
  do {
    try await body(fixture)
  } catch {
    await fixture.stop()
    throw error
  }
  await fixture.stop()
}

/// Waits for something that comes by itself, for as long as a busy machine may need.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
  let deadline = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < deadline else { throw Unexpected("never: \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}

extension SubmissionOutcome {
  var isCreated: Bool { if case .created = self { true } else { false } }
  var entryText: [UInt8]? {
    switch self {
    case .created(let text), .repeated(let text): text
    case .refused: nil
    }
  }
  var code: ProblemCode? { if case .refused(let refusal) = self { refusal.code } else { nil } }
}

/// Something that is written and read by several.
final class Shared<Value: Sendable>: Sendable {
  let value: Mutex<Value>
  init(_ value: Value) { self.value = Mutex(value) }
}
