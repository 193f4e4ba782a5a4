/// A string as JavaScript has them: any sequence of UTF-16 code units, lone surrogates included.
///
/// Equality is that of code units (no Unicode normalisation), and so is the order.
public struct JSONString: Hashable, Sendable, Comparable, ExpressibleByStringLiteral {
  private enum Storage: Sendable {
    case text(String)
    /// WTF-8 with at least one lone surrogate.
    case illFormed([UInt8])
  }

  private let storage: Storage

  /// A string without lone surrogates.
  public init(_ text: String) {
    storage = .text(text)
  }

  /// A string without lone surrogates.
  public init(stringLiteral text: String) {
    self.init(text)
  }

  /// A string of UTF-16 code units.
  public init(utf16 units: some Sequence<UInt16>) {
    self.init(wtf8: WTF8.bytes(of: units))
  }

  /// Trusts `bytes` to be WTF-8.
  init(wtf8 bytes: [UInt8]) {
    if let text = String(validating: bytes, as: UTF8.self) {
      storage = .text(text)
    } else {
      storage = .illFormed(bytes)
    }
  }

  /// Trusts `bytes` to be UTF-8 without lone surrogates.
  init(utf8 bytes: Span<UInt8>) {
    storage = .text(bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
  }

  /// The text; nil if there are lone surrogates.
  public var string: String? {
    switch storage {
    case .text(let text): text
    case .illFormed: nil
    }
  }

  /// The string as WTF-8: UTF-8 wherever there are no lone surrogates.
  public var bytes: [UInt8] {
    switch storage {
    case .text(let text): Array(text.utf8)
    case .illFormed(let bytes): bytes
    }
  }

  /// The UTF-16 code units.
  public var utf16: [UInt16] {
    switch storage {
    case .text(let text):
      return Array(text.utf16)
    case .illFormed(let bytes):
      var units: [UInt16] = []
      var reader = UTF16Reader()
      while let unit = reader.next(in: bytes.span) { units.append(unit) }
      return units
    }
  }

  /// Gives the WTF-8 in place to `body`.
  func withSpan<Result, Failure: Error>(_ body: (Span<UInt8>) throws(Failure) -> Result) throws(Failure) -> Result {
    switch storage {
    case .text(let text): try body(text.utf8.span)
    case .illFormed(let bytes): try body(bytes.span)
    }
  }

  /// Whether the string has exactly these bytes.
  func equals(_ other: Span<UInt8>) -> Bool {
    withSpan { WTF8.equal($0, other) }
  }

  /// Equality of code units.
  public static func == (left: JSONString, right: JSONString) -> Bool {
    if case (.text(let left), .text(let right)) = (left.storage, right.storage), left.utf8.count != right.utf8.count {
      return false
    }
    return left.withSpan { left in right.withSpan { right in WTF8.equal(left, right) } }
  }

  /// Order of UTF-16 code units.
  public static func < (left: JSONString, right: JSONString) -> Bool {
    left.withSpan { left in right.withSpan { right in WTF8.precedes(left, right) } }
  }

  /// Feeds the bytes, which are the same for equal strings.
  public func hash(into hasher: inout Hasher) {
    withSpan { span in
      span.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
    hasher.combine(0xff as UInt8)
  }
}
