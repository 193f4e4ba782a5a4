/// One row of an answer. Values are read by column number, from 0.
///
/// Reading throws ``PostgresError`` of kind ``PostgresError/Kind/unexpectedResult`` where the value is null (there are
/// `optional` twins), has another length than the type wants, or where there is no such column.
public struct PostgresRow: Sendable {
  @usableFromInline let rows: PostgresRows
  let firstCell: Int

  /// Whether the value is null.
  public func isNull(_ column: Int) throws(PostgresError) -> Bool { try cell(column).length < 0 }

  /// A `bigint`, `integer` or `smallint`.
  public func int64(_ column: Int) throws(PostgresError) -> Int64 {
    let cell = try presentCell(column)
    var reader = BinaryReader(rows.bytes, from: cell.offset, count: Int(cell.length))
    let number: Int64?
    switch cell.length {
    case 8: number = reader.readInt64()
    case 4: number = reader.readInt32().map(Int64.init)
    case 2: number = reader.readInt16().map(Int64.init)
    default: number = nil
    }
    guard let number else { throw unexpected(column, "an integer") }
    return number
  }

  /// A `boolean`.
  public func bool(_ column: Int) throws(PostgresError) -> Bool {
    let cell = try presentCell(column)
    guard cell.length == 1 else { throw unexpected(column, "a boolean") }
    return rows.bytes[cell.offset] != 0
  }

  /// The bytes of a `bytea`, or of anything else as the server sent it.
  public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] {
    let cell = try presentCell(column)
    return Array(rows.bytes[cell.offset..<cell.offset + Int(cell.length)])
  }

  /// Calls `body` with the bytes of a value, without a copy.
  @inlinable
  public func withBytes<R>(_ column: Int, _ body: (Span<UInt8>) -> R) throws(PostgresError) -> R {
    let range = try range(column)
    return body(rows.bytes.span.extracting(range))
  }

  /// Where the bytes of a value lie.
  @usableFromInline
  func range(_ column: Int) throws(PostgresError) -> Range<Int> {
    let cell = try presentCell(column)
    return cell.offset..<cell.offset + Int(cell.length)
  }

  /// A `text`, `varchar`, `name`.
  public func text(_ column: Int) throws(PostgresError) -> String {
    let cell = try presentCell(column)
    let slice = rows.bytes[cell.offset..<cell.offset + Int(cell.length)]
    guard let text = String(validating: slice, as: UTF8.self) else { throw unexpected(column, "text") }
    return text
  }

  /// A `timestamptz`, as microseconds since 1970-01-01T00:00:00Z.
  public func unixMicroseconds(_ column: Int) throws(PostgresError) -> Int64 {
    guard try presentCell(column).length == 8 else { throw unexpected(column, "a timestamp") }
    let (sum, overflow) = try int64(column).addingReportingOverflow(postgresEpochUnixMicroseconds)
    guard !overflow else { throw unexpected(column, "a finite timestamp") }
    return sum
  }

  /// A `bigint[]`.
  public func int64Array(_ column: Int) throws(PostgresError) -> [Int64] {
    try elements(column, "an array of bigint", of: TypeNumber.int8) { reader, count in
      count == 8 ? reader.readInt64() : nil
    }
  }

  /// A `bytea[]`.
  public func byteaArray(_ column: Int) throws(PostgresError) -> [[UInt8]] {
    try elements(column, "an array of bytea", of: TypeNumber.bytea) { reader, count in reader.readBytes(count) }
  }

  /// A `text[]`.
  public func textArray(_ column: Int) throws(PostgresError) -> [String] {
    try elements(column, "an array of text", of: TypeNumber.text) { reader, count in
      reader.readBytes(count).flatMap { String(validating: $0, as: UTF8.self) }
    }
  }

  /// As ``int64(_:)``, nil for null.
  public func optionalInt64(_ column: Int) throws(PostgresError) -> Int64? {
    try isNull(column) ? nil : int64(column)
  }

  /// As ``bytes(_:)``, nil for null.
  public func optionalBytes(_ column: Int) throws(PostgresError) -> [UInt8]? {
    try isNull(column) ? nil : bytes(column)
  }

  /// As ``text(_:)``, nil for null.
  public func optionalText(_ column: Int) throws(PostgresError) -> String? {
    try isNull(column) ? nil : text(column)
  }

  /// As ``unixMicroseconds(_:)``, nil for null.
  public func optionalUnixMicroseconds(_ column: Int) throws(PostgresError) -> Int64? {
    try isNull(column) ? nil : unixMicroseconds(column)
  }

  private func cell(_ column: Int) throws(PostgresError) -> PostgresRows.Cell {
    guard column >= 0, column < rows.columnCount else {
      throw PostgresError(.unexpectedResult, "the answer has no column \(column)")
    }
    return rows.cells[firstCell + column]
  }

  private func presentCell(_ column: Int) throws(PostgresError) -> PostgresRows.Cell {
    let cell = try cell(column)
    guard cell.length >= 0 else { throw PostgresError(.unexpectedResult, "column \(column) is null") }
    return cell
  }

  private func unexpected(_ column: Int, _ wanted: String) -> PostgresError {
    PostgresError(.unexpectedResult, "column \(column) is not \(wanted)")
  }

  private func elements<Element>(
    _ column: Int, _ wanted: String, of type: Int32, _ read: (inout BinaryReader, Int) -> Element?
  ) throws(PostgresError) -> [Element] {
    let cell = try presentCell(column)
    var reader = BinaryReader(rows.bytes, from: cell.offset, count: Int(cell.length))
    guard let dimensions = reader.readInt32(), reader.readInt32() != nil, reader.readInt32() == type else {
      throw unexpected(column, wanted)
    }
    if dimensions == 0 { return [] }
    guard dimensions == 1, let count = reader.readInt32(), reader.readInt32() != nil,
      count >= 0, Int(count) <= reader.remaining / 4
    else { throw unexpected(column, wanted) }
    var elements: [Element] = []
    elements.reserveCapacity(Int(count))
    for _ in 0..<count {
      guard let length = reader.readInt32(), length >= 0, let element = read(&reader, Int(length)) else {
        throw unexpected(column, "\(wanted) without gaps")
      }
      elements.append(element)
    }
    return elements
  }
}
