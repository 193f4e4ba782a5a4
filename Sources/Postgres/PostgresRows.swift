import CPostgres

/// The rows that a statement gave, read where libpq has put them.
public struct PostgresRows: Sendable {
  /// How many values a row has.
  public let columnCount: Int
  /// How many rows there are.
  public let count: Int
  let answer: PostgresAnswer

  /// - Parameter answer: holds `count` rows of `columnCount` values.
  init(count: Int, columnCount: Int, in answer: PostgresAnswer) {
    self.count = count
    self.columnCount = columnCount
    self.answer = answer
  }

  /// The server's word for what was done, such as `SELECT 1` or `INSERT 0 3`.
  public var commandTag: String { answer.commandTag }

  /// How many rows the statement touched, or gave.
  public var affectedCount: Int {
    guard let word = commandTag.split(separator: " ").last else { return 0 }
    return Int(word) ?? 0
  }
}

extension PostgresRows: RandomAccessCollection {
  /// The index of the first row.
  public var startIndex: Int { 0 }
  /// One past the index of the last row.
  public var endIndex: Int { count }
  /// One row.
  ///
  /// - Precondition: the index is that of a row.
  public subscript(index: Int) -> PostgresRow {
    precondition(index >= 0 && index < count)
    return PostgresRow(rows: self, number: Int32(index))
  }
}

/// Sole owner of one `PGresult` that holds rows.
///
/// `@unchecked Sendable`: libpq does not change a result that it has given out, and reads it without any state beside it,
/// so that several threads may read at a time.
final class PostgresAnswer: @unchecked Sendable {
  private let result: OpaquePointer

  init(owning result: OpaquePointer) { self.result = result }

  deinit { PQclear(result) }

  /// Empty where the answer was cut off.
  var commandTag: String { PQcmdStatus(result).map { String(cString: $0) } ?? "" }

  /// The bytes of a value while this lives; nil for null, and where there is no such value.
  func value(_ row: Int32, _ column: Int32) -> UnsafeRawBufferPointer? {
    let length = PQgetlength(result, row, column)
    // A null has no length either: only what is empty must be asked for.
    if length <= 0, PQgetisnull(result, row, column) != 0 { return nil }
    guard let start = PQgetvalue(result, row, column) else { return nil }
    return UnsafeRawBufferPointer(start: start, count: Int(max(0, length)))
  }
}
