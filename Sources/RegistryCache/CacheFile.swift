import Cryptography
import GRDB
public import KeyRecords
public import RegistryClient
import Synchronization

/// One SQLite file with what clients keep of any number of apps.
///
/// It belongs to one user of the system (mode 0600), and several processes may have it open at once. What a call that
/// returned has written survives a crash of the process and of the machine. A file that is cut off, damaged, of another
/// program or of a later version is refused, and left as it is: pins that silently begin anew would be no pins.
///
/// This guards against accidents. Who can write the file can also put another one in its place.
public final class CacheFile: Sendable {
  /// How long another process is waited for.
  static let busyTimeout = 10.0
  /// Bytes of the write-ahead log that are left on the disk when it is not in use.
  private static let logBytes = 4 << 20

  /// The path of the file.
  public let path: String
  /// Bytes of histories, of all apps, above which those that were not used for longest are dropped.
  public let maxHistoryBytes: Int
  let clock: any ClientClock
  private let queue: DatabaseQueue
  private let observers = Mutex<[AppID: PinObservers]>([:])

  /// Opens the file, and makes it if there is none; its folder must be there.
  public init(
    path: String, maxHistoryBytes: Int = 64 << 20, clock: any ClientClock = SystemClock()
  ) throws(CacheFileError) {
    self.path = path
    self.maxHistoryBytes = maxHistoryBytes
    self.clock = clock
    try Self.prepare(path)
    do {
      queue = try DatabaseQueue(path: path, configuration: Self.configuration)
      try queue.writeWithoutTransaction { try Self.check($0, path: path) }
      try CacheSchema.migrator.migrate(queue)
    } catch {
      throw CacheFileError(error, path: path)
    }
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(busyTimeout)
    configuration.label = "registry cache"
    configuration.prepareDatabase { database in
      // Every commit waits for the disk: a pin that is lost in a power cut is trust that is lost.
      try database.execute(sql: "PRAGMA synchronous = FULL")
      try database.execute(sql: "PRAGMA cell_size_check = ON")
      try database.execute(sql: "PRAGMA journal_size_limit = \(logBytes)")
    }
    return configuration
  }

  private static func check(_ database: Database, path: String) throws {
    // The quick check leaves indexes out. Policies are found by one: what is not in it would count as never seen.
    for check in ["quick_check(1)", "integrity_check(policies)"] {
      let findings = try String.fetchAll(database, sql: "PRAGMA \(check)")
      guard findings == ["ok"] else {
        throw CacheFileError.damaged(path: path, detail: findings.first ?? "it cannot be checked")
      }
    }
    guard try !CacheSchema.migrator.hasBeenSuperseded(database) else { throw CacheFileError.newer(path: path) }
    guard try CacheSchema.migrator.completedMigrations(database).count > 0 else {
      throw CacheFileError.damaged(path: path, detail: "it has no version")
    }
    try database.inTransaction(.deferred) {
      try Seal.checkAll(database)
      return .commit
    }
  }

  /// What is kept of one app.
  public func store(of app: AppID) -> AppCache { AppCache(self, app: app) }

  func pinObservers(of app: AppID) -> PinObservers {
    observers.withLock { observers in
      if let known = observers[app] { return known }
      let new = PinObservers()
      observers[app] = new
      return new
    }
  }

  /// Closes the file; later calls fail. Without it the file is closed when nobody holds it any more.
  public func close() throws(CacheFileError) {
    do {
      try queue.close()
    } catch {
      throw CacheFileError(error, path: path)
    }
  }

  // MARK: Access

  /// Reads one state of the file.
  func read<T: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> T
  ) async throws(StoreFailure) -> T {
    try await run(.deferred, body)
  }

  /// Writes all or nothing.
  func write<T: Sendable>(
    _ body: @escaping @Sendable (Database) throws -> T
  ) async throws(StoreFailure) -> T {
    try await run(.immediate, body)
  }

  /// A task that is cancelled does not stop it: whoever asked could not know whether it was written.
  private func run<T: Sendable>(
    _ kind: Database.TransactionKind, _ body: @escaping @Sendable (Database) throws -> T
  ) async throws(StoreFailure) -> T {
    let path = path
    let result: Result<T, StoreFailure> = await withCheckedContinuation { continuation in
      queue.asyncWriteWithoutTransaction { database in
        continuation.resume(returning: Self.transaction(database, kind, path, body))
      }
    }
    return try result.get()
  }

  private static func transaction<T>(
    _ database: Database, _ kind: Database.TransactionKind, _ path: String, _ body: (Database) throws -> T
  ) -> Result<T, StoreFailure> {
    do {
      var value: T?
      try database.inTransaction(kind) {
        value = try body(database)
        return .commit
      }
      if let value { return .success(value) }
      return .failure(StoreFailure("the cache \(path) gave no answer"))
    } catch {
      return .failure(StoreFailure(CacheFileError(error, path: path).description))
    }
  }
}

extension CacheFileError {
  /// What SQLite, or our own checks, say of a file.
  init(_ error: any Error, path: String) {
    switch error {
    case let error as CacheFileError: self = error
    case let error as DamagedRow: self = .damaged(path: path, detail: error.description)
    case is RowDecodingError: self = .damaged(path: path, detail: "a value is of another kind")
    case let error as DatabaseError:
      switch error.resultCode {
      case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path: path, detail: Self.words(error))
      case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path: path)
      default: self = .database(path: path, detail: Self.words(error))
      }
    default: self = .database(path: path, detail: "\(error)")
    }
  }

  /// Without statements and their arguments.
  private static func words(_ error: DatabaseError) -> String { error.message ?? error.resultCode.description }
}
