/// The parameters of one statement as Postgres' binary format, in one buffer.
struct EncodedParameters: Sendable {
  /// The protocol counts parameters with 16 bits.
  static let maximumCount = 65_535
  /// Postgres takes no value of a gigabyte; a quarter of it is more than this project ever sends.
  static let maximumBytes = 1 << 28

  private static let nullLength: Int32 = -1

  /// One byte that belongs to no value, so that an empty value has an address too; then the values one after another.
  private(set) var bytes: [UInt8] = [0]
  /// The length of each value, or -1 for null.
  private(set) var lengths: [Int32] = []

  init(_ values: [PostgresValue]) throws(PostgresError) {
    guard values.count <= Self.maximumCount else {
      throw PostgresError(.invalidRequest, "a statement takes at most \(Self.maximumCount) parameters")
    }
    lengths.reserveCapacity(values.count)
    bytes.reserveCapacity(1 + values.count * 16)
    for value in values {
      let start = bytes.count
      if case .null = value {
        lengths.append(Self.nullLength)
        continue
      }
      append(value)
      guard bytes.count <= Self.maximumBytes else {
        throw PostgresError(.invalidRequest, "the parameters of a statement take more than \(Self.maximumBytes) bytes")
      }
      lengths.append(Int32(bytes.count - start))
    }
  }

  private mutating func append(_ value: PostgresValue) {
    switch value {
    case .null: break
    case .bool(let flag): bytes.append(flag ? 1 : 0)
    case .int4(let number): append(bigEndian: number)
    case .int8(let number): append(bigEndian: number)
    case .text(let text): bytes.append(contentsOf: text.utf8)
    case .bytea(let data): bytes.append(contentsOf: data)
    case .timestamp(let microseconds): append(bigEndian: microseconds &- postgresEpochUnixMicroseconds)
    case .boolArray(let array): append(array, of: TypeNumber.bool) { $0.bytes.append($1 ? 1 : 0) }
    case .int4Array(let array): append(array, of: TypeNumber.int4) { $0.append(bigEndian: $1) }
    case .int8Array(let array): append(array, of: TypeNumber.int8) { $0.append(bigEndian: $1) }
    case .nullableInt8Array(let array): append(array, of: TypeNumber.int8) { $0.append(bigEndian: $1) }
    case .textArray(let array): append(array, of: TypeNumber.text) { $0.bytes.append(contentsOf: $1.utf8) }
    case .encodedTextArray(let array): append(array)
    case .nullableTextArray(let array): append(array, of: TypeNumber.text) { $0.bytes.append(contentsOf: $1.utf8) }
    case .byteaArray(let array): append(array, of: TypeNumber.bytea) { $0.bytes.append(contentsOf: $1) }
    case .nullableByteaArray(let array): append(array, of: TypeNumber.bytea) { $0.bytes.append(contentsOf: $1) }
    }
  }

  private mutating func append<Element>(
    _ array: [Element?], of type: Int32, _ appendElement: (inout Self, Element) -> Void
  ) {
    appendHead(count: array.count, of: type, hasGaps: array.contains { $0 == nil })
    for element in array {
      let lengthIndex = bytes.count
      append(bigEndian: Self.nullLength)
      guard let element else { continue }
      appendElement(&self, element)
      var length = UInt32(truncatingIfNeeded: bytes.count - lengthIndex - 4)
      for index in stride(from: lengthIndex + 3, through: lengthIndex, by: -1) {
        bytes[index] = UInt8(truncatingIfNeeded: length)
        length >>= 8
      }
    }
  }

  private mutating func append(_ array: PostgresTextArray) {
    appendHead(count: array.count, of: TypeNumber.text, hasGaps: false)
    bytes.append(contentsOf: array.elements)
  }

  /// What stands before the elements of an array: dimensions, whether there are nulls, the type; then, of the only
  /// dimension, the count and the number of the first element.
  private mutating func appendHead(count: Int, of type: Int32, hasGaps: Bool) {
    append(bigEndian: Int32(count == 0 ? 0 : 1))
    append(bigEndian: Int32(hasGaps ? 1 : 0))
    append(bigEndian: type)
    guard count > 0 else { return }
    append(bigEndian: Int32(clamping: count))
    append(bigEndian: Int32(1))
  }

  private mutating func append(bigEndian number: some FixedWidthInteger) {
    withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// Calls `body` with the arrays as libpq's send functions take them: count, values, lengths, formats (all binary).
  func withPointers<R>(
    _ body: (
      Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?
    ) -> R
  ) -> R {
    let count = lengths.count
    guard count > 0 else { return body(0, nil, nil, nil) }
    return bytes.withUnsafeBytes { buffer in
      withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: count) { formats in
          formats.initialize(repeating: 1)
          var offset = 1
          for index in 0..<count {
            let length = lengths[index]
            let isNull = length == Self.nullLength
            let address = isNull ? nil : buffer.baseAddress.map { $0 + offset }
            values.initializeElement(at: index, to: address?.assumingMemoryBound(to: CChar.self))
            offset += isNull ? 0 : Int(length)
          }
          return lengths.withUnsafeBufferPointer { lengths in
            body(
              Int32(count), UnsafePointer(values.baseAddress), lengths.baseAddress, UnsafePointer(formats.baseAddress))
          }
        }
      }
    }
  }
}
