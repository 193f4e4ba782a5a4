import HTTPFormat
import KeyRecords
import RegistryAPI

/// Whether a body is the JSON that it must be, as far as the head says (protocol §8).
enum JSONContent {
  /// Nil when `head` announces `application/json` in UTF-8 without a content coding.
  static func problem(of head: RequestHead) -> Problem? {
    guard head.count(of: "content-encoding") == 0, let value = head.soleValueBytes(of: "content-type"),
      value.elementsEqual(usual) || isJSON(String(decoding: value, as: UTF8.self))
    else { return Problem(.unsupportedMediaType) }
    return nil
  }

  /// What nearly all write.
  private static let usual = Array("application/json".utf8)

  /// Whether a media type is `application/json`; of its parameters only `charset` means anything here.
  static func isJSON(_ mediaType: String) -> Bool {
    let parts = mediaType.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
    guard parts.first?.lowercased() == "application/json" else { return false }
    return parts.dropFirst().allSatisfy { parameter in
      guard let equals = parameter.firstIndex(of: "=") else { return parameter.isEmpty }
      let name = parameter[..<equals].lowercased()
      let value = parameter[parameter.index(after: equals)...].lowercased()
      return name != "charset" || value == "utf-8" || value == "\"utf-8\""
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return text
  }
}
