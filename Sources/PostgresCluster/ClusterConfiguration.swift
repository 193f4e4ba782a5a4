/// Where a private cluster lives and how it runs.
public struct ClusterConfiguration: Sendable {
  /// The oldest major version of Postgres that serves.
  public static let minimumMajorVersion = 15
  /// How long to wait for a start. Recovery after a crash may take minutes.
  public static let defaultStartTimeout: Duration = .seconds(300)
  /// How long to wait for a fast shutdown, before an immediate one.
  public static let defaultStopTimeout: Duration = .seconds(60)

  /// The folder that holds the cluster (in `postgres/`), its log, its locks and, if the path is short enough, its socket.
  /// Made if it is not there.
  public var directory: String
  /// Where `postgres` and `initdb` are; nil to look in `PATH` and the places where distributions put them.
  public var binaryDirectory: String?
  /// The database that is made.
  public var databaseName = "registrar"
  /// Who runs Postgres when we are root, which it refuses to run as.
  public var operatingSystemUser = "postgres"
  /// Further settings, as `postgresql.conf` knows them; they win over ours.
  public var settings: [(name: String, value: String)] = []
  /// See ``defaultStartTimeout``.
  public var startTimeout: Duration = defaultStartTimeout
  /// See ``defaultStopTimeout``.
  public var stopTimeout: Duration = defaultStopTimeout

  /// A cluster in a folder, with the defaults.
  public init(directory: String) { self.directory = directory }
}

/// How to reach a running cluster.
public struct ClusterConnection: Sendable, Hashable {
  /// For libpq: the cluster's owner (a superuser) on the database. Holds no secret: the socket's folder is private.
  public let conninfo: String
  /// Whether the cluster was running already.
  public let wasAdopted: Bool
  /// Whether the cluster was made by this start.
  public let wasInitialized: Bool
  /// The process id of the postmaster.
  public let processID: Int32
  /// The folder of the socket.
  public let socketDirectory: String
  /// Where Postgres writes its log.
  public let logPath: String
}

/// What happens to a cluster while it is supervised.
public enum ClusterEvent: Sendable, Hashable {
  /// Postgres is gone, without having been asked to go.
  case died(processID: Int32)
  /// Postgres runs again.
  case restarted(processID: Int32)
  /// Postgres could not be started again; there will be another try.
  case restartFailed(ClusterError)
}
