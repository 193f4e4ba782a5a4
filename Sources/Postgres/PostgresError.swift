/// Why Postgres gave no answer.
///
/// `description` is safe to log: it holds no parameter, no value of a row and no password. The server's own sentence,
/// which may quote values, is in ``message`` and `debugDescription`.
public struct PostgresError: Error, Sendable, Hashable {
  /// What went wrong, in the terms a caller has to decide by.
  public enum Kind: String, Sendable, Hashable {
    /// The connection died before the answer came. Nothing was committed by what was asked.
    case connectionLost
    /// The server refused the statement; ``PostgresError/sqlState`` says why. Nothing was committed by it.
    case server
    /// There is no connection, or too much is waiting for one. Nothing was sent.
    case unavailable
    /// The connection died while a commit was under way: the transaction may or may not be in the database.
    case outcomeUnknown
    /// What was asked cannot be sent: a limit or a rule of this module is broken. Nothing was sent.
    case invalidRequest
    /// The answer is not of the shape that the caller reads it as.
    case unexpectedResult
  }

  /// What went wrong.
  public var kind: Kind
  /// The five characters of SQLSTATE; empty where the server did not give one.
  public var sqlState: String
  /// What happened, in a sentence. Of kind ``Kind/server`` it is the server's and may quote values: do not log it.
  public var message: String
  /// The name of the constraint that was broken, where one was.
  public var constraint: String?
  /// The name of the statement, where one was meant.
  public var statement: String?

  /// An error of a kind, with a sentence of our own.
  public init(
    _ kind: Kind, _ message: String, sqlState: String = "", constraint: String? = nil, statement: String? = nil
  ) {
    self.kind = kind
    self.message = message
    self.sqlState = sqlState
    self.constraint = constraint
    self.statement = statement
  }

  /// Whether it is certain that the transaction, if there was one, is not in the database.
  public var isCertainlyNotCommitted: Bool { kind != .outcomeUnknown }

  /// Whether the same transaction may succeed when it is run again: serialization failure or deadlock.
  public var isSerializationFailure: Bool { kind == .server && (sqlState == "40001" || sqlState == "40P01") }

  /// Whether a unique constraint was broken (``constraint`` says which).
  public var isUniqueViolation: Bool { kind == .server && sqlState == "23505" }

  /// Whether the database is away, as opposed to having refused something.
  public var isAbsence: Bool { kind == .unavailable || kind == .connectionLost || kind == .outcomeUnknown }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
  /// A neutral sentence without values; see the type.
  public var description: String {
    var text: String
    switch kind {
    case .server: text = "postgres refused the statement"
    case .connectionLost, .unavailable, .outcomeUnknown, .invalidRequest, .unexpectedResult: text = message
    }
    if let statement { text += " (statement \(statement))" }
    if !sqlState.isEmpty { text += " (SQLSTATE \(sqlState))" }
    if let constraint { text += " (constraint \(constraint))" }
    return text
  }

  /// Everything there is to know, values included: for a developer's eyes.
  public var debugDescription: String { "\(kind.rawValue): \(description): \(message)" }
}
