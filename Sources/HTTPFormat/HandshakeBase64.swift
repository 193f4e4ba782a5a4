/// Base64 as far as the WebSocket handshake needs it. Everything else uses `Cryptography.Base64`, which this module must
/// not import.
enum HandshakeBase64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Padded base64 (RFC 4648 §4).
  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
      for place in 0..<4 {
        output.append(place <= group.count ? alphabet[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return output
  }

  /// Whether `text` is the one spelling of 16 bytes: 22 characters, the last with four zero bits, and `==`.
  static func isCanonicalOf16Bytes(_ text: ArraySlice<UInt8>) -> Bool {
    guard text.count == 24, text.suffix(2).elementsEqual([UInt8(ascii: "="), UInt8(ascii: "=")]) else { return false }
    guard text.dropLast(2).allSatisfy({ alphabet.contains($0) }) else { return false }
    // Two of the last character's six bits are data: only A, Q, g and w have zeros in the other four.
    return text.dropLast(2).last.map { Array("AQgw".utf8).contains($0) } ?? false
  }
}
