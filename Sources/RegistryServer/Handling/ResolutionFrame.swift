import PeerstackFormat
import Registry

/// The pieces of an answer to `resolve` beside its entries.
enum ResolutionFrame {
  static let opening = Array("\":{\"entries\":[".utf8)
  static let closing = Array("]}".utf8)
  /// Bytes of a user beside its id and entries, without the comma before it.
  static let marksPerUser = 1 + opening.count + closing.count

  /// Most bytes of an entry beside its record: five names, four numbers of at most 16 digits, a comma.
  static let bytesPerEntry = 128
  /// Bytes that a user takes beside its entries, in `users` or `more`, with room to spare.
  private static let bytesPerID = 96
  /// Bytes of everything else but `unknown`.
  private static let frameBytes = 512

  /// Bytes that entries may take in an answer of at most `limit` bytes.
  static func room(_ limit: Int, ids: Int, _ unknown: [UInt8]) -> Int {
    limit - frameBytes - ids * bytesPerID - unknown.count
  }

  static func start(_ asOf: AsOf) -> [UInt8] {
    Array("{\"asOf\":{\"index\":\(asOf.index),\"time\":\(asOf.time)},\"users\":{".utf8)
  }

  /// - Parameters:
  ///   - unknown: A list.
  ///   - more: A list.
  static func end(unknown: [UInt8], more: [UInt8]) -> [UInt8] {
    Array("},\"unknown\":".utf8) + unknown + Array(",\"more\":".utf8) + more + [UInt8(ascii: "}")]
  }

  static func list(_ values: [JSONValue]) -> [UInt8] {
    values.isEmpty ? Array("[]".utf8) : JSONValue.array(values).text
  }
}
