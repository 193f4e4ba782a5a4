import Foundation
import PeerstackFormat
import Testing

/// The deepest values that are let in must not overflow a small stack, whatever is done with them.
@Suite struct DeepValueTests {
  /// What secondary threads get on Darwin, and musl and others give less than Linux's 8 MiB.
  private static let stackBytes = 512 << 10

  /// Runs `body` on a thread with a small stack and waits for it.
  private func onSmallStack(_ body: @escaping @Sendable () -> Bool) async -> Bool {
    await withCheckedContinuation { continuation in
      let thread = Thread { continuation.resume(returning: body()) }
      thread.stackSize = Self.stackBytes
      thread.start()
    }
  }

  private static func nested(
    _ open: String, _ inner: String, _ close: String, depth: Int = JSONLimits.standardMaxDepth
  ) -> [UInt8] {
    return utf8(String(repeating: open, count: depth) + inner + String(repeating: close, count: depth))
  }

  private static let texts = [
    nested("[", "", "]"), nested(#"{"a":"#, "1", "}"), nested("[1,", "2", ",3]"),
    nested(#"{"b":[],"a":"#, "1", #","c":{}}"#, depth: JSONLimits.standardMaxDepth - 1),
  ]

  @Test(arguments: texts.indices)
  func everythingFits(place: Int) async {
    let text = Self.texts[place]
    let isFine = await onSmallStack {
      guard let value = try? JSONValue.parseLenient(text), let twin = try? JSONValue.parseLenient(text) else {
        return false
      }
      var reader = SignedObjectReader()
      try? reader.read(text)
      let canonical = CanonicalJSON.bytes(of: value)
      return value == twin && Set([value, twin]).count == 1 && value.text.count == text.count
        && reader.canonicalText == canonical && ObjectHash.hash(of: value) == reader.hash
        && (try? PeerstackID.isID(value, now: 0)) == false && (try? PeerstackWire.text(of: value)) != nil
        && (try? PeerstackWire.read(text)) == .value(value)
    }
    #expect(isFine)
  }
}
