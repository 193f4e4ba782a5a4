import CPostgres

/// Where the database is and how connections to it behave.
public struct PostgresConfiguration: Sendable {
  /// How long a connection may take to be made, in all.
  public static let defaultConnectTimeout: Duration = .seconds(10)
  /// How long the server lets a statement run.
  public static let defaultStatementTimeout: Duration = .seconds(15)
  /// How long the server lets a transaction lie idle before it ends the connection.
  public static let defaultIdleInTransactionTimeout: Duration = .seconds(30)
  /// How much longer than the statement timeout an answer may take before the connection counts as dead.
  public static let defaultAnswerGrace: Duration = .seconds(5)
  /// How long a query that comes while a connection is being made may wait for it.
  public static let defaultConnectWait: Duration = .seconds(2)
  /// How many queries may be under way or waiting in one pool.
  public static let defaultMaximumPending = 65_536

  /// The database as libpq takes it: `postgresql://…` or `key=value …`. May hold a password: never log it.
  public let conninfo: String
  /// The password, where it is not part of `conninfo` but comes from a file; it wins over one that is. Never logged.
  public var password: String?
  /// The role to take after connecting (`SET ROLE`); nil to stay what `conninfo` names.
  public var role: String?
  /// What the server shows as the application, unless `conninfo` says.
  public var applicationName: String
  /// See ``defaultConnectTimeout``.
  public var connectTimeout: Duration = defaultConnectTimeout
  /// See ``defaultStatementTimeout``. Zero: no limit.
  public var statementTimeout: Duration = defaultStatementTimeout
  /// See ``defaultIdleInTransactionTimeout``. Zero: no limit.
  public var idleInTransactionTimeout: Duration = defaultIdleInTransactionTimeout
  /// See ``defaultAnswerGrace``.
  public var answerGrace: Duration = defaultAnswerGrace
  /// See ``defaultConnectWait``.
  public var connectWait: Duration = defaultConnectWait
  /// See ``defaultMaximumPending``.
  public var maximumPending = defaultMaximumPending

  /// Further settings of the server for every connection, by name.
  public var furtherSettings: [String: String] = [:]

  /// The parts of `conninfo` that may be shown.
  private let place: String

  /// A configuration with the defaults for all that is not named.
  ///
  /// - Throws: ``PostgresError`` of kind ``PostgresError/Kind/invalidRequest`` if libpq cannot read `conninfo`.
  ///   The error does not quote it, as it may hold a password.
  public init(conninfo: String, role: String? = nil, applicationName: String = "registrar") throws(PostgresError) {
    place = try Self.place(of: conninfo)
    self.conninfo = conninfo
    self.role = role
    self.applicationName = applicationName
  }

  /// What is set on the server after connecting: names and values of settings.
  var sessionSettings: [(String, String)] {
    var settings = [
      ("statement_timeout", String(statementTimeout.wholeMilliseconds)),
      ("idle_in_transaction_session_timeout", String(idleInTransactionTimeout.wholeMilliseconds)),
    ]
    settings += furtherSettings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    if let role { settings.append(("role", role)) }
    return settings
  }

  /// How long the oldest unanswered statement may go without any answer; nil for ever.
  var answerTimeout: Duration? { statementTimeout == .zero ? nil : statementTimeout + answerGrace }

  private static let shownKeywords = ["host", "hostaddr", "port", "dbname", "user"]

  private static func place(of conninfo: String) throws(PostgresError) -> String {
    var complaint: UnsafeMutablePointer<CChar>?
    defer { PQfreemem(complaint) }
    guard !conninfo.utf8.contains(0), let options = PQconninfoParse(conninfo, &complaint) else {
      throw PostgresError(
        .invalidRequest,
        "cannot read the address of the database: write postgresql://user@host:port/name or key=value pairs")
    }
    defer { PQconninfoFree(options) }
    var shown: [String] = []
    var option = options
    while let keyword = option.pointee.keyword {
      let name = String(cString: keyword)
      if let value = option.pointee.val, shownKeywords.contains(name) {
        shown.append("\(name)=\(String(cString: value))")
      }
      option += 1
    }
    return shown.joined(separator: " ")
  }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Where the database is, without the password.
  public var description: String { "postgres at \(place.isEmpty ? "libpq's default" : place)" }
  /// As ``description``.
  public var debugDescription: String { description }
  /// Nothing but the description: a dump must not show a password.
  public var customMirror: Mirror { Mirror(self, children: ["place": place]) }
}

extension Duration {
  /// Milliseconds, without the rest.
  var wholeMilliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + attoseconds / 1_000_000_000_000_000
  }
}
