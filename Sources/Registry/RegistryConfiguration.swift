public import KeyRecords
public import Logging
public import Postgres

/// What a ``Registry`` is started with.
public struct RegistryConfiguration: Sendable {
  /// Bytes that the memory index may take unless given: 256 MiB.
  public static let defaultMemoryBytes = 256 << 20

  /// Where the database is. Its role, if it has none, becomes ``Registry/databaseRole``.
  public var postgres: PostgresConfiguration
  /// Bytes that the memory index may take, by a careful estimate; 0 turns it off.
  public var memoryBytes: Int
  /// Whether a schema that is older than this program is migrated at the start, by the user that `postgres` names; if
  /// not, it is refused.
  public var migratesSchema: Bool
  /// Connections for reading on each loop.
  public var readConnectionsPerLoop = 2
  /// The time of day. It may be wrong and may jump: see protocol §5.2.
  public var clock: @Sendable () -> Milliseconds
  /// Time since some fixed moment, which never jumps and goes on while the machine sleeps.
  public var monotonicClock: @Sendable () -> Duration
  /// Where to say what operators must know.
  public var logger: Logger

  /// A configuration with the system's clocks.
  public init(
    postgres: PostgresConfiguration, memoryBytes: Int = defaultMemoryBytes, migratesSchema: Bool = false,
    logger: Logger
  ) {
    self.postgres = postgres
    self.memoryBytes = memoryBytes
    self.migratesSchema = migratesSchema
    self.logger = logger
    clock = SystemClock.timeOfDay
    monotonicClock = SystemClock.elapsed
  }
}
