/// Reads big-endian numbers and bytes from a buffer, which outlives it; nil at its end.
struct BinaryReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - position }

  mutating func readInt16() -> Int16? { read(Int16.self) }
  mutating func readInt32() -> Int32? { read(Int32.self) }
  mutating func readInt64() -> Int64? { read(Int64.self) }

  mutating func readBytes(_ count: Int) -> [UInt8]? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  private mutating func read<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) -> Number? {
    guard MemoryLayout<Number>.size <= remaining else { return nil }
    defer { position += MemoryLayout<Number>.size }
    return Number(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
  }
}
