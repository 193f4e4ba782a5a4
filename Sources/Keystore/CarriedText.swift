import Cryptography
public import PeerstackFormat

/// Small texts that travel by mail, chat or paper: a prefix, JSON in base64 of the URL kind, and a checksum
/// (docs/peerkey.md, "Texts that travel").
///
/// The checksum finds accidents. What is inside is judged by whoever uses it.
public enum CarriedText {
  private static let checkCount = 8
  /// Largest text that is read, with whatever is around it, in bytes: 64 KiB.
  public static let maxBytes = 64 << 10
  /// How often a prefix is looked behind: a text has one, and a mail that quotes a part of it another.
  static let maxPrefixes = 16

  /// The text of an object.
  public static func text(_ object: JSONObject, prefix: String) -> String {
    let bytes = CanonicalJSON.bytes(of: .object(object))
    let body = Base64.encode(bytes).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }.filter { $0 != "=" }
    return "\(prefix).\(String(body)).\(SHA256.hash(bytes).hex.prefix(checkCount))"
  }

  /// The object of a text; whatever is around it, and line breaks and marks of quotation within it, are left out. Nil
  /// for what is no such text, or a damaged one.
  public static func object(_ text: [UInt8], prefix: String) -> JSONObject? {
    guard text.count <= maxBytes else { return nil }
    var rest = text.filter { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: ">") }[...]
    let mark = Array("\(prefix).".utf8)
    // A mail may quote a part of it before the whole.
    for _ in 0..<maxPrefixes {
      guard let start = rest.firstRange(of: mark) else { return nil }
      rest = rest[start.upperBound...]
      if let object = object(after: rest) { return object }
    }
    return nil
  }

  private static func object(after rest: ArraySlice<UInt8>) -> JSONObject? {
    guard let dot = rest.firstIndex(of: UInt8(ascii: ".")) else { return nil }
    let check = rest[rest.index(after: dot)...].prefix(checkCount)
    var body = rest[..<dot].map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "+")
      case UInt8(ascii: "_"): UInt8(ascii: "/")
      default: byte
      }
    }
    while body.count % 4 != 0 { body.append(UInt8(ascii: "=")) }
    guard let bytes = Base64.decodeCanonical(body),
      SHA256.hash(bytes).hex.utf8.prefix(checkCount).elementsEqual(check)
    else { return nil }
    return (try? JSONValue.parseStrict(bytes))?.object
  }
}
