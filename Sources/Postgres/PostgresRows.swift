/// The rows that a statement gave, copied out of libpq once into one buffer.
public struct PostgresRows: Sendable {
  /// Where a value lies; a negative length is null.
  struct Cell: Sendable {
    var offset: Int
    var length: Int32
  }

  /// How many values a row has.
  public let columnCount: Int
  /// How many rows there are.
  public let count: Int
  /// The server's word for what was done, such as `SELECT 1` or `INSERT 0 3`.
  public let commandTag: String

  @usableFromInline let bytes: [UInt8]
  let cells: [Cell]

  init(count: Int, columnCount: Int, commandTag: String, bytes: [UInt8], cells: [Cell]) {
    precondition(cells.count == count * columnCount)
    self.count = count
    self.columnCount = columnCount
    self.commandTag = commandTag
    self.bytes = bytes
    self.cells = cells
  }

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
    return PostgresRow(rows: self, firstCell: index * columnCount)
  }
}
