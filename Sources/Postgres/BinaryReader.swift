/// Reads big-endian numbers and bytes from a part of a buffer; nil at its end.
struct BinaryReader {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  init(_ bytes: [UInt8], from start: Int, count: Int) {
    precondition(start >= 0 && count >= 0 && start + count <= bytes.count)
    self.bytes = bytes
    position = start
    end = start + count
  }

  var remaining: Int { end - position }

  mutating func readInt16() -> Int16? { readUnsigned(2).map { Int16(truncatingIfNeeded: $0) } }
  mutating func readInt32() -> Int32? { readUnsigned(4).map { Int32(truncatingIfNeeded: $0) } }
  mutating func readInt64() -> Int64? { readUnsigned(8).map { Int64(bitPattern: $0) } }

  mutating func readBytes(_ count: Int) -> [UInt8]? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  private mutating func readUnsigned(_ count: Int) -> UInt64? {
    guard count <= remaining else { return nil }
    var number: UInt64 = 0
    for index in position..<position + count { number = number << 8 | UInt64(bytes[index]) }
    position += count
    return number
  }
}
