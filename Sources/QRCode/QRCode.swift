import CQRCode
import Glibc

/// A text as a QR code (ISO/IEC 18004): a square of dark and light modules.
public struct QRCode: Sendable, Hashable {
  /// How much of a code may be unreadable.
  public enum Correction: Sendable, Hashable {
    /// About 7 %: the most text in the smallest code.
    case low
    /// About 15 %.
    case medium
  }

  /// Why there is no code.
  public enum Failure: Error, Sendable, Hashable {
    /// An empty text, a NUL, or characters beyond ASCII, which readers would have to guess.
    case unusableText
    /// More than a code holds.
    case tooLong(bytes: Int)
    /// libqrencode says no; its `errno`.
    case encoder(Int32)
    /// libqrencode gave a square that cannot be.
    case badAnswer
  }

  /// Bytes of the longest text that is tried: as many as the largest code has characters of its smallest kind but
  /// digits (version 40, low, alphanumeric).
  public static let maxTextBytes = 4_296
  /// Modules along a side, from version 1 to 40.
  public static let sizes = 21...177

  /// Modules along a side.
  public let size: Int
  /// Row by row; true is dark.
  private let modules: [Bool]

  /// Encodes a text: the smallest code that holds it. Upper-case letters, digits and `$%*+-./: ` take less room.
  public init(_ text: String, correction: Correction = .low) throws(Failure) {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, bytes.allSatisfy({ (0x01...0x7f).contains($0) }) else { throw .unusableText }
    guard bytes.count <= Self.maxTextBytes else { throw .tooLong(bytes: bytes.count) }
    let level = correction == .low ? QR_ECLEVEL_L : QR_ECLEVEL_M
    guard let code = text.withCString({ QRcode_encodeString($0, 0, level, QR_MODE_8, 1) }) else {
      let number = errno
      throw number == ERANGE ? .tooLong(bytes: bytes.count) : .encoder(number)
    }
    defer { QRcode_free(code) }
    let width = Int(code.pointee.width)
    // A square has 17 modules and four per version.
    guard Self.sizes.contains(width), width == 17 + 4 * Int(code.pointee.version), let data = code.pointee.data else {
      throw .badAnswer
    }
    size = width
    // The lowest bit of each byte is the colour.
    modules = UnsafeBufferPointer(start: data, count: width * width).map { $0 & 1 == 1 }
  }

  /// Whether a module is dark; what lies outside is light.
  public subscript(row: Int, column: Int) -> Bool {
    (0..<size).contains(row) && (0..<size).contains(column) && modules[row * size + column]
  }
}

extension QRCode.Failure: CustomStringConvertible {
  /// A sentence for people.
  public var description: String {
    switch self {
    case .unusableText: "only text in ASCII can be drawn"
    case .tooLong(let bytes): "\(bytes) bytes are more than a QR code holds"
    case .encoder(let number): "libqrencode cannot draw it: error \(number)"
    case .badAnswer: "libqrencode gave a code that cannot be"
    }
  }
}
