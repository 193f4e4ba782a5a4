public import Cryptography

/// The hash that peerstack signs: SHA-256 of the canonical text without the top-level `signature` (protocol §1.1).
public enum ObjectHash {
  /// The hash of `value`; nil for `null`, which has none.
  public static func hash(of value: JSONValue) -> Bytes32? {
    value.isNull ? nil : SHA256.hash(CanonicalJSON.bytesWithoutSignature(of: value))
  }

  /// The hash as 64 lower-case hex characters; nil for `null`.
  public static func hex(of value: JSONValue) -> String? {
    hash(of: value)?.hex
  }
}
