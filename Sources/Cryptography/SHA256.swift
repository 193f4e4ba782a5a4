import COpenSSL

/// SHA-256 (FIPS 180-4). OpenSSL's, which has the processor's instructions for it; libsodium's is portable C.
public enum SHA256 {
  /// The 32-byte digest of `message`.
  public static func hash(_ message: Span<UInt8>) -> Bytes32 {
    message.withUnsafeBufferPointer { input in
      Bytes32 { digest in
        let isDone = copenssl_sha256(input.baseAddress, input.count, digest) == 1
        precondition(isDone, "OpenSSL cannot hash: nothing in this module could be trusted")
      }
    }
  }

  /// The 32-byte digest of `message`.
  public static func hash(_ message: [UInt8]) -> Bytes32 {
    hash(message.span)
  }

  /// The 32-byte digest of `message`.
  public static func hash(_ message: Bytes32) -> Bytes32 {
    message.withSpan { hash($0) }
  }
}

/// A SHA-256 digest that knows how it is written.
public struct SHA256Digest: Hashable, Sendable {
  /// The 32 bytes.
  public let bytes: Bytes32

  /// Wraps a digest that was computed elsewhere.
  public init(bytes: Bytes32) {
    self.bytes = bytes
  }

  /// The digest of `message`.
  public init(of message: [UInt8]) {
    bytes = SHA256.hash(message)
  }

  /// Lower-case hex, 64 characters.
  public var hex: String { bytes.hex }
}
