/// What a text on the library's wire stands for.
enum WireText {
  /// Itself.
  case plain
  /// `undefined`.
  case undefined
  /// Something JSON can hold a trace of.
  case value(JSONValue)
  /// A part that is named elsewhere.
  case reference(isObject: Bool)

  private static let regularExpressionMark = Array("__REGEXP ".utf8)
  private static let codeMark = Array("__FUNCTION ".utf8)
  private static let errorMark = Array("__ERROR ".utf8)
  private static let referenceMark = Array("__duplicate_ref_".utf8)
  private static let objectMark = Array("_obj_".utf8)
  private static let ownReferenceMark = Array("__this_ref:".utf8)

  init(_ string: JSONString) throws(PeerstackWire.Failure) {
    let bytes = string.bytes
    switch string {
    case "undefined": self = .undefined
    // JSON has neither; both are written `null`.
    case "NaN": self = .value(.number(.nan))
    case "Infinity": self = .value(.number(.infinity))
    case "__WINDOW": throw .window
    case _ where bytes.starts(with: Self.regularExpressionMark):
      guard Self.isRegularExpression(bytes) else { throw .regularExpression }
      self = .value([:])
    case _ where bytes.starts(with: Self.codeMark): throw .code
    case _ where bytes.starts(with: Self.errorMark): self = .value([:])
    case _ where bytes.starts(with: Self.referenceMark):
      self = .reference(isObject: Self.position(of: Self.objectMark, in: bytes) != nil)
    default: self = WireDate(bytes).map { .value($0.value) } ?? .plain
    }
  }

  /// The name by which an array's first element makes the array known: what stands between the first two colons. Nil
  /// if the element is an ordinary one.
  static func ownReference(_ first: JSONString) -> JSONString? {
    let bytes = first.bytes
    guard bytes.starts(with: ownReferenceMark) else { return nil }
    return JSONString(wtf8: Array(bytes.dropFirst(ownReferenceMark.count).prefix { $0 != UInt8(ascii: ":") }))
  }

  /// The name of a member without the escape for `$`.
  static func memberName(_ name: JSONString) -> JSONString {
    let bytes = name.bytes
    guard bytes.starts(with: WireWriter.dollarEscape) else { return name }
    return JSONString(wtf8: [UInt8(ascii: "$")] + bytes.dropFirst(WireWriter.dollarEscape.count))
  }

  /// Whether a `/pattern/flags` is there. The pattern itself is not understood: no regular expression is ever made.
  private static func isRegularExpression(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[regularExpressionMark.count...]
    // The library splits at the mark and looks at the first part only.
    if let end = position(of: regularExpressionMark, in: Array(rest)) { rest = rest.prefix(end) }
    for line in rest.split(omittingEmptySubsequences: false, whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
      guard let first = line.firstIndex(of: UInt8(ascii: "/")), let last = line.lastIndex(of: UInt8(ascii: "/")),
        first < last
      else { continue }
      let flags = line[(last + 1)...]
      return Set(flags).count == flags.count && Set(flags).isSubset(of: Set("dgimsuvy".utf8))
    }
    return false
  }

  private static func position(of part: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= part.count else { return nil }
    return (0...bytes.count - part.count).first { bytes[$0...].starts(with: part) }
  }
}
