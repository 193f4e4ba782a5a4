import Cryptography

/// Thirty-two secret bytes as text that people write down and type in: Crockford's base 32 in twelve groups of five.
///
/// `P1XXX-XXXXX-…`: two symbols say what it is, 52 hold the bytes (the last one's four unused bits are zero), six are a
/// checksum over all of them: the code of BIP 173 with the constant of BIP 350, over this alphabet. It finds every
/// error in up to four symbols, so every wrong symbol and every two that changed places.
public enum GroupedText {
  /// Why a text was not taken.
  public enum Failure: Error, Hashable, Sendable {
    /// A character that is not in the alphabet, at this place among the symbols, counted from 1.
    case invalidCharacter(position: Int)
    /// Another number of symbols than 60.
    case wrongLength(count: Int)
    /// The checksum does not fit: there is a typing error.
    case wrongChecksum
    /// Correct, but of another kind, or of a later version.
    case otherKind
  }

  /// Symbols of a text, without what separates the groups.
  public static let symbolCount = 60
  /// Bytes that a text holds.
  public static let byteCount = 32

  private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
  private static let groupCount = 5
  private static let kindCount = 2
  private static let checksumCount = 6
  private static let dataCount = symbolCount - kindCount - checksumCount
  private static let checksumConstant: UInt32 = 0x2bc8_30a3
  private static let generators: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]

  /// The first two symbols, in the alphabet.
  enum Kind: String {
    case paperKey = "P1"
    case recoveryCode = "R1"

    var symbols: [UInt8] { rawValue.utf8.compactMap(GroupedText.symbol) }
  }

  /// The text of 32 bytes, as ASCII in secret memory.
  static func text(of secret: SecretBytes, kind: Kind) -> SecretBytes {
    var symbols: [UInt8] = []
    symbols.reserveCapacity(symbolCount)
    symbols += kind.symbols
    secret.withBytes { appendSymbols(of: $0, to: &symbols) }
    let checksum = polynomial(symbols + [UInt8](repeating: 0, count: checksumCount)) ^ checksumConstant
    for position in 0..<checksumCount {
      symbols.append(UInt8(truncatingIfNeeded: checksum >> UInt32(5 * (checksumCount - 1 - position)) & 31))
    }
    var text: [UInt8] = []
    text.reserveCapacity(symbolCount + symbolCount / groupCount - 1)
    for (position, symbol) in symbols.enumerated() {
      if position > 0, position.isMultiple(of: groupCount) { text.append(UInt8(ascii: "-")) }
      text.append(alphabet[Int(symbol)])
    }
    wipe(&symbols)
    return SecretBytes(wiping: &text)
  }

  /// The 32 bytes of a text. Case, spaces, line ends and dashes do not matter; O counts as 0, I and L as 1.
  static func secret(of text: SecretBytes, kind: Kind) throws(Failure) -> SecretBytes {
    var symbols: [UInt8] = []
    symbols.reserveCapacity(symbolCount)
    defer { wipe(&symbols) }
    if let failure = text.withBytes({ collectSymbols(of: $0, into: &symbols) }) { throw failure }
    guard polynomial(symbols) == checksumConstant else { throw .wrongChecksum }
    guard Array(symbols.prefix(kindCount)) == kind.symbols else { throw .otherKind }
    guard let secret = secret(of: symbols) else { throw .wrongChecksum }
    return secret
  }

  /// All symbols of a text, or what is wrong with it.
  private static func collectSymbols(of text: Span<UInt8>, into symbols: inout [UInt8]) -> Failure? {
    var count = 0
    var index = 0
    while index < text.count {
      let separator = separatorCount(text, at: index)
      if separator > 0 {
        index += separator
        continue
      }
      count += 1
      guard let symbol = symbol(text[index]) else { return .invalidCharacter(position: count) }
      if count <= symbolCount { symbols.append(symbol) }
      index += 1
    }
    return count == symbolCount ? nil : .wrongLength(count: count)
  }

  /// Bytes of what may stand between symbols: white space, dashes, and what word processors make of them
  /// (U+00A0, U+2010…2015); 0 for anything else.
  private static func separatorCount(_ text: Span<UInt8>, at index: Int) -> Int {
    switch text[index] {
    case UInt8(ascii: " "), 0x09...0x0d, UInt8(ascii: "-"): 1
    case 0xc2 where index + 1 < text.count && text[index + 1] == 0xa0: 2
    case 0xe2 where index + 2 < text.count && text[index + 1] == 0x80 && 0x90...0x95 ~= text[index + 2]: 3
    default: 0
    }
  }

  private static func symbol(_ character: UInt8) -> UInt8? {
    let isLower = UInt8(ascii: "a")...UInt8(ascii: "z") ~= character
    let upper = isLower ? character - 32 : character
    switch upper {
    case UInt8(ascii: "O"): return 0
    case UInt8(ascii: "I"), UInt8(ascii: "L"): return 1
    default: return alphabet.firstIndex(of: upper).map { UInt8($0) }
    }
  }

  private static func appendSymbols(of bytes: Span<UInt8>, to symbols: inout [UInt8]) {
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for index in bytes.indices {
      bits = bits << 8 | UInt32(bytes[index])
      bitCount += 8
      while bitCount >= 5 {
        bitCount -= 5
        symbols.append(UInt8(truncatingIfNeeded: bits >> bitCount & 31))
      }
      bits &= 1 << bitCount - 1
    }
    if bitCount > 0 { symbols.append(UInt8(truncatingIfNeeded: bits << (5 - bitCount) & 31)) }
  }

  /// Nil if the unused bits are not zero.
  private static func secret(of symbols: [UInt8]) -> SecretBytes? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    var bits: UInt32 = 0
    var bitCount: UInt32 = 0
    for symbol in symbols[kindCount..<kindCount + dataCount] {
      bits = bits << 5 | UInt32(symbol)
      bitCount += 5
      guard bitCount >= 8 else { continue }
      bitCount -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
      bits &= 1 << bitCount - 1
    }
    let secret = SecretBytes(wiping: &bytes)
    return bits == 0 ? secret : nil
  }

  /// The remainder of BIP 173's code.
  private static func polynomial(_ symbols: [UInt8]) -> UInt32 {
    var remainder: UInt32 = 1
    for symbol in symbols {
      let top = remainder >> 25
      remainder = (remainder & 0x1ff_ffff) << 5 ^ UInt32(symbol)
      for bit in 0..<5 where top >> UInt32(bit) & 1 == 1 { remainder ^= generators[bit] }
    }
    return remainder
  }

  private static func wipe(_ bytes: inout [UInt8]) {
    _ = SecretBytes(wiping: &bytes)
  }
}

extension GroupedText.Failure: CustomStringConvertible {
  /// A sentence for people, without any of the text.
  public var description: String {
    switch self {
    case .invalidCharacter(let position): "the character at place \(position) is not used here: compare with the paper"
    case .wrongLength(let count):
      "there are \(count) characters instead of \(GroupedText.symbolCount): compare with the paper"
    case .wrongChecksum: "there is a typing error: compare with the paper, group by group"
    case .otherKind: "this is another kind of code: a paper key begins with P1, a recovery code with R1"
    }
  }
}
