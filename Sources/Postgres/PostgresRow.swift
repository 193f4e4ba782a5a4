/// One row of an answer. Values are read by column number, from 0.
///
/// Reading throws ``PostgresError`` of kind ``PostgresError/Kind/unexpectedResult`` where the value is null (there are
/// `optional` twins), has another length than the type wants, or where there is no such column.
public struct PostgresRow: Sendable {
  @usableFromInline let rows: PostgresRows
  let number: Int32

  /// Whether the value is null.
  public func isNull(_ column: Int) throws(PostgresError) -> Bool {
    try withValue(column) { $0 == nil }
  }

  /// A `bigint`, `integer` or `smallint`.
  public func int64(_ column: Int) throws(PostgresError) -> Int64 {
    guard let number = try optionalInt64(column) else { throw absent(column) }
    return number
  }

  /// As ``int64(_:)``, nil for null.
  public func optionalInt64(_ column: Int) throws(PostgresError) -> Int64? {
    try withValue(column) { value throws(PostgresError) in
      guard let value else { return nil }
      var reader = BinaryReader(value)
      let number: Int64?
      switch value.count {
      case 8: number = reader.readInt64()
      case 4: number = reader.readInt32().map(Int64.init)
      case 2: number = reader.readInt16().map(Int64.init)
      default: number = nil
      }
      guard let number else { throw unexpected(column, "an integer") }
      return number
    }
  }

  /// A `boolean`.
  public func bool(_ column: Int) throws(PostgresError) -> Bool {
    try withPresent(column) { value throws(PostgresError) in
      guard value.count == 1 else { throw unexpected(column, "a boolean") }
      return value[0] != 0
    }
  }

  /// The bytes of a `bytea`, or of anything else as the server sent it.
  public func bytes(_ column: Int) throws(PostgresError) -> [UInt8] { try withPresent(column) { Array($0) } }

  /// Calls `body` with the bytes of a value, without a copy.
  @inlinable
  public func withBytes<R>(_ column: Int, _ body: (Span<UInt8>) -> R) throws(PostgresError) -> R {
    let value = try address(column)
    return withExtendedLifetime(rows) { value.withMemoryRebound(to: UInt8.self) { body($0.span) } }
  }

  /// A `text`, `varchar`, `name`.
  public func text(_ column: Int) throws(PostgresError) -> String {
    try withPresent(column) { value throws(PostgresError) in
      guard let text = String(validating: value, as: UTF8.self) else { throw unexpected(column, "text") }
      return text
    }
  }

  /// A `timestamptz`, as microseconds since 1970-01-01T00:00:00Z.
  public func unixMicroseconds(_ column: Int) throws(PostgresError) -> Int64 {
    let value = try withPresent(column) { value throws(PostgresError) in
      var reader = BinaryReader(value)
      guard value.count == 8, let number = reader.readInt64() else { throw unexpected(column, "a timestamp") }
      return number
    }
    let (sum, overflow) = value.addingReportingOverflow(postgresEpochUnixMicroseconds)
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

  /// Calls `body` with the bytes of a value, or with nil for null.
  private func withValue<R>(
    _ column: Int, _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    guard column >= 0, column < rows.columnCount else {
      throw PostgresError(.unexpectedResult, "the answer has no column \(column)")
    }
    let value = rows.answer.value(number, Int32(column))
    // The bytes are there as long as the answer is.
    defer { withExtendedLifetime(rows.answer) {} }
    return try body(value)
  }

  private func withPresent<R>(
    _ column: Int, _ body: (UnsafeRawBufferPointer) throws(PostgresError) -> R
  ) throws(PostgresError) -> R {
    try withValue(column) { value throws(PostgresError) in
      guard let value else { throw absent(column) }
      return try body(value)
    }
  }

  /// Where the bytes of a value lie while the rows live.
  @usableFromInline
  func address(_ column: Int) throws(PostgresError) -> UnsafeRawBufferPointer { try withPresent(column) { $0 } }

  private func absent(_ column: Int) -> PostgresError {
    PostgresError(.unexpectedResult, "column \(column) is null")
  }

  private func unexpected(_ column: Int, _ wanted: String) -> PostgresError {
    PostgresError(.unexpectedResult, "column \(column) is not \(wanted)")
  }

  private func elements<Element>(
    _ column: Int, _ wanted: String, of type: Int32, _ read: (inout BinaryReader, Int) -> Element?
  ) throws(PostgresError) -> [Element] {
    try withPresent(column) { value throws(PostgresError) in
      var reader = BinaryReader(value)
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
}
