import Cryptography
import Glibc
import KeyRecords
import Logging
import Postgres
import PostgresTestSupport
import Registry
import Synchronization
import Testing
import WebTransport

@testable import RegistryServer

/// A running registrar on a schema of its own, with real sockets and a real Postgres.
final class TestServer: Sendable {
  let server: RegistryHTTPServer
  let postgres: PostgresConfiguration
  let admin = SigningKey.generate()
  let clock: TestClock

  private init(_ server: RegistryHTTPServer, _ postgres: PostgresConfiguration, _ clock: TestClock) {
    self.server = server
    self.postgres = postgres
    self.clock = clock
  }

  /// A server.
  ///
  /// - Parameters:
  ///   - postgres: A database in use; nil for a new schema.
  ///   - change: Changes what is not as usual.
  static func start(
    on postgres: PostgresConfiguration? = nil, clock: TestClock = TestClock(),
    _ change: (inout RegistryServerConfiguration) -> Void = { _ in }
  ) async throws -> TestServer {
    let postgres = if let postgres { postgres } else { try await TestDatabase.shared.get().freshSchema() }
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    var registry = RegistryConfiguration(postgres: postgres, migratesSchema: true, logger: logger)
    registry.clock = { clock.now }
    registry.monotonicClock = { clock.elapsed }
    var configuration = RegistryServerConfiguration(registry: registry, logger: logger)
    // The clients of these tests answer no pings.
    configuration.web.webSocket.pingInterval = .seconds(3_600)
    change(&configuration)
    return TestServer(try await RegistryHTTPServer.start(configuration), postgres, clock)
  }

  var port: UInt16 { server.port }
  var now: Milliseconds { clock.now }

  func stop() async { await server.stop(deadline: .seconds(10)) }

  /// Creates an app whose only admin is ``admin``.
  @discardableResult
  func createApp(_ id: String, _ change: (inout PolicyRules) -> Void = { _ in }) async throws -> AppID {
    let app = try #require(AppID(id))
    var rules = PolicyRules(admins: try #require(Admins(keys: [admin.verifyingKey], threshold: 1)))
    change(&rules)
    let text = try #require(rules.draft(app: app, after: nil, now: now).signed(approvedBy: [admin]))
    guard case .created = try await server.registry.createApp(text, id: app) else {
      throw TestFailure("the app \(id) was not created")
    }
    return app
  }

  // MARK: Requests

  func request(
    _ method: String, _ path: String, _ fields: [String] = [], _ body: [UInt8]? = nil
  ) async throws -> TestResponse {
    try await TestConnection.with(port: port) { connection in
      try connection.send(method, path, fields, body)
      return try connection.response(isHead: method == "HEAD")
    }
  }

  func get(_ path: String, _ fields: [String] = []) async throws -> TestResponse {
    try await request("GET", path, fields)
  }

  func post(_ path: String, _ body: [UInt8], _ fields: [String] = []) async throws -> TestResponse {
    try await request("POST", path, ["Content-Type: application/json"] + fields, body)
  }

  /// Submits a record and expects it to be accepted.
  @discardableResult
  func accept(_ record: [UInt8], app: AppID) async throws -> TestResponse {
    let response = try await post("/apps/\(app)/records", record)
    guard response.status == 201 else { throw TestFailure("refused: \(response.status) \(response.text)") }
    return response
  }
}

/// A clock that can be put forward, and never back.
final class TestClock: Sendable {
  private let ahead = Mutex<Milliseconds>(0)

  var now: Milliseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Milliseconds(time.tv_sec) * 1_000 + Milliseconds(time.tv_nsec) / 1_000_000 + ahead.withLock { $0 }
  }

  var elapsed: Duration {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec) + .milliseconds(ahead.withLock { $0 })
  }

  func advance(_ time: Milliseconds) { ahead.withLock { $0 += time } }
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Asks until it is so. For what no event tells.
func eventually(
  _ what: String, within patience: Duration = .seconds(60), _ isSo: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + patience
  while try await !isSo() {
    guard ContinuousClock.now < deadline else { throw TestFailure("not within \(patience): \(what)") }
    try await Task.sleep(for: .milliseconds(10))
  }
}
