import Cryptography

/// A text of at most 32 bytes held in place: ids as keys of a dictionary, without heap memory.
public struct ShortText: Hashable, Sendable {
  /// Bytes of UTF-8 (or WTF-8) at most.
  public static let maxCount = Bytes32.count

  private let padded: Bytes32
  private let count: UInt8

  /// Copies a text; nil if it is longer than 32 bytes.
  public init?(_ text: JSONString) {
    guard let value = text.withSpan({ ShortText(bytes: $0) }) else { return nil }
    self = value
  }

  /// Copies bytes of WTF-8; nil if there are more than 32.
  init?(bytes: Span<UInt8>) {
    guard bytes.count <= Self.maxCount else { return nil }
    padded = Bytes32(padding: bytes)
    count = UInt8(truncatingIfNeeded: bytes.count)
  }

  /// The text.
  public var string: JSONString {
    padded.withSpan { bytes in
      JSONString(wtf8: bytes.extracting(first: Int(count)).withUnsafeBufferPointer { Array($0) })
    }
  }
}
