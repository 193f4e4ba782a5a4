/// Base64 as far as the WebSocket handshake needs it. Everything else uses `Cryptography.Base64`, which this module must
/// not import.
enum HandshakeBase64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// Whether `text` is the one spelling of 16 bytes: 22 characters, the last with four zero bits, and `==`.
  static func isCanonicalOf16Bytes(_ text: ArraySlice<UInt8>) -> Bool {
    guard text.count == 24, text.suffix(2).elementsEqual([UInt8(ascii: "="), UInt8(ascii: "=")]) else { return false }
    guard text.dropLast(2).allSatisfy({ alphabet.contains($0) }) else { return false }
    // Two of the last character's six bits are data: only A, Q, g and w have zeros in the other four.
    return text.dropLast(2).last.map { Array("AQgw".utf8).contains($0) } ?? false
  }
}
