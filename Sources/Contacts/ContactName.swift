/// What somebody calls a contact: fit to be shown in a terminal, among other text.
///
/// It proves nothing: two people can have the same name, and different ones can look the same.
public struct ContactName: Sendable, Hashable, CustomStringConvertible {
  /// Unicode scalar values.
  public static let maxScalars = 64
  /// Combining marks in a row.
  public static let maxMarks = 4

  /// Why a text is no name.
  public enum Fault: Error, Sendable, Hashable {
    /// Nothing that can be seen.
    case empty
    /// More than ``ContactName/maxScalars``.
    case tooLong(scalars: Int)
    /// Something at this place, counted from 1, that can move, hide or reorder text: control and format characters,
    /// line ends, private and unassigned ones, spaces other than U+0020.
    case unusableCharacter(Unicode.Scalar, position: Int)
    /// A space at an end, or two in a row.
    case strayNextToSpace(position: Int)
    /// More than ``ContactName/maxMarks`` in a row, or one with nothing to stand on.
    case strayMark(position: Int)
  }

  /// The name.
  public let text: String

  /// Checks a name.
  public init(_ text: String) throws(Fault) {
    let scalars = Array(text.unicodeScalars)
    guard !scalars.isEmpty else { throw .empty }
    guard scalars.count <= Self.maxScalars else { throw .tooLong(scalars: scalars.count) }
    var marks = Self.maxMarks
    var previous = Unicode.Scalar(0x20 as UInt8)
    for (index, scalar) in scalars.enumerated() {
      let position = index + 1
      switch Self.kind(scalar) {
      case .unusable: throw .unusableCharacter(scalar, position: position)
      case .space:
        guard previous != " " && !Self.isJoiner(previous) else { throw .strayNextToSpace(position: position) }
        marks = Self.maxMarks
      case .joiner:
        guard previous != " " && !Self.isJoiner(previous) else { throw .unusableCharacter(scalar, position: position) }
      case .mark:
        guard previous != " ", marks < Self.maxMarks else { throw .strayMark(position: position) }
        marks += 1
      case .visible: marks = 0
      }
      previous = scalar
    }
    guard previous != " " else { throw .strayNextToSpace(position: scalars.count) }
    guard !Self.isJoiner(previous) else { throw .unusableCharacter(previous, position: scalars.count) }
    self.text = text
  }

  /// The name itself.
  public var description: String { text }

  private enum Kind { case unusable, space, joiner, mark, visible }

  /// Zero-width (non-)joiner: letters of some scripts and many pictures need them.
  private static func isJoiner(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{200c}" || scalar == "\u{200d}" }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    if scalar == " " { return .space }
    if isJoiner(scalar) { return .joiner }
    // Text or picture: these two choose between looks of the character before.
    if scalar == "\u{fe0e}" || scalar == "\u{fe0f}" { return .mark }
    guard !scalar.properties.isDefaultIgnorableCodePoint else { return .unusable }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse, .unassigned:
      return .unusable
    case .nonspacingMark, .enclosingMark, .spacingMark: return .mark
    default: return .visible
    }
  }
}

extension ContactName.Fault: CustomStringConvertible {
  /// A sentence for people, without the characters that are wrong.
  public var description: String {
    switch self {
    case .empty: "a name has at least one character"
    case .tooLong(let scalars): "a name has at most \(ContactName.maxScalars) characters: this has \(scalars)"
    case .unusableCharacter(let scalar, let position):
      "character \(position) of the name, U+\(String(scalar.value, radix: 16, uppercase: true)), could hide or move text"
    case .strayNextToSpace(let position): "there is a space too many at character \(position) of the name"
    case .strayMark(let position): "there is a mark too many at character \(position) of the name"
    }
  }
}
