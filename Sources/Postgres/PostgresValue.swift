/// A parameter of a statement, sent in Postgres' binary format.
public enum PostgresValue: Sendable, Hashable {
  /// `NULL` of any type.
  case null
  /// `boolean`.
  case bool(Bool)
  /// `integer`, 4 bytes.
  case int4(Int32)
  /// `bigint`, 8 bytes.
  case int8(Int64)
  /// `text`. A zero byte in it makes the server refuse the statement.
  case text(String)
  /// `bytea`.
  case bytea([UInt8])
  /// `timestamptz`, as microseconds since 1970-01-01T00:00:00Z.
  case timestamp(unixMicroseconds: Int64)
  /// `boolean[]`.
  case boolArray([Bool])
  /// `integer[]`.
  case int4Array([Int32])
  /// `bigint[]`.
  case int8Array([Int64])
  /// `bigint[]` with gaps.
  case nullableInt8Array([Int64?])
  /// `text[]`.
  case textArray([String])
  /// `text[]` whose elements are bytes.
  case encodedTextArray(PostgresTextArray)
  /// `text[]` with gaps.
  case nullableTextArray([String?])
  /// `bytea[]`.
  case byteaArray([[UInt8]])
  /// `bytea[]` with gaps.
  case nullableByteaArray([[UInt8]?])

  /// A text, or null.
  public static func text(_ value: String?) -> PostgresValue { value.map { .text($0) } ?? .null }
  /// Bytes, or null.
  public static func bytea(_ value: [UInt8]?) -> PostgresValue { value.map { .bytea($0) } ?? .null }
  /// A number, or null.
  public static func int8(_ value: Int64?) -> PostgresValue { value.map { .int8($0) } ?? .null }
}

/// Type numbers of `pg_type`, which are fixed in Postgres.
enum TypeNumber {
  static let bool: Int32 = 16
  static let bytea: Int32 = 17
  static let int8: Int32 = 20
  static let int4: Int32 = 23
  static let text: Int32 = 25
}

/// Microseconds from 1970-01-01 to 2000-01-01, where Postgres' timestamps begin.
let postgresEpochUnixMicroseconds: Int64 = 946_684_800_000_000
