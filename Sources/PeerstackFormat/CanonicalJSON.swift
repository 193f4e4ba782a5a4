/// The text that is hashed: what `fast-json-stable-stringify` 2.x prints for a parsed value (protocol §1.1).
public enum CanonicalJSON {
  /// The canonical text of `value` as UTF-8.
  public static func bytes(of value: JSONValue) -> [UInt8] {
    var output: [UInt8] = []
    JSONText.append(value, order: .name, to: &output)
    return output
  }

  /// The canonical text without the top-level `signature`.
  public static func bytesWithoutSignature(of value: JSONValue) -> [UInt8] {
    bytes(of: value, omitting: ["signature"])
  }

  /// The canonical text without the top-level members of these names.
  public static func bytes(of value: JSONValue, omitting names: Set<String>) -> [UInt8] {
    let omitted = Set(names.map { JSONString($0) })
    var output: [UInt8] = []
    JSONText.append(value, order: .name, to: &output) { !omitted.contains($0) }
    return output
  }
}
