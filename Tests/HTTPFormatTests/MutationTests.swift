import HTTPFormat
import Testing

/// Requests damaged at random, the same in every run: what holds for every input.
@Suite struct MutationTests {
  private static let fragments = [
    "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", "Host: a\r\n", "Content-Length: 5\r\n", "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n", "GET / HTTP/1.1\r\n", "HTTP/1.0", "Connection: close\r\n", "\r\n\r\n", "*",
    "http://b", "?", "#", "é", "Upgrade: websocket\r\n", "100-continue", "Expect: ",
  ].map { Array($0.utf8) }

  private static func mutated(_ seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes = acceptedCases.randomElement(using: &generator)?.bytes ?? []
    for _ in 0..<Int.random(in: 0...4, using: &generator) {
      let position = Int.random(in: 0...bytes.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: position)
      case 1: bytes.insert(contentsOf: fragments.randomElement(using: &generator) ?? [], at: position)
      case 2: bytes.removeSubrange(position..<min(bytes.count, position + Int.random(in: 1...4, using: &generator)))
      case 3:
        bytes.insert(contentsOf: bytes[position...].prefix(Int.random(in: 1...30, using: &generator)), at: position)
      default: if position < bytes.count { bytes[position] = UInt8.random(in: 0...255, using: &generator) }
      }
    }
    return bytes
  }

  @Test func verdictDependsOnTheBytesAlone() {
    for seed in 0..<4000 as Range<UInt64> {
      let bytes = MutationTests.mutated(seed)
      let whole = Verdict(parse(bytes))
      var generator = SeededGenerator(seed: seed)
      let cuts = (0..<3).map { _ in Int.random(in: 0...bytes.count, using: &generator) }.sorted()
      #expect(verdict(bytes, cuts: cuts) == whole, "seed \(seed)")
      #expect(verdict(bytes, cuts: 0...bytes.count) == whole, "seed \(seed)")
      if whole != .incomplete { #expect(Verdict(parse(bytes + [0, 13, 10])) == whole, "seed \(seed)") }
    }
  }

  @Test func whatIsAcceptedIsCleanAndReadsTheSameWhenWrittenAgain() {
    var accepted = 0
    for seed in 0..<4000 as Range<UInt64> {
      guard case .complete(let head, let byteCount) = parse(MutationTests.mutated(seed)) else { continue }
      accepted += 1
      var text = "\(head.method.name) \(head.rawTarget) HTTP/1.\(head.minorVersion)\r\n"
      for (name, value) in head.fields { text += "\(name): \(value)\r\n" }
      // Values are ISO 8859-1; written as UTF-8 they would change, so only plain ones go round.
      guard text.utf8.allSatisfy({ $0 < 0x80 }) else { continue }
      guard case .complete(let again, _) = parse(text + "\r\n") else {
        Issue.record("seed \(seed): \(text.debugDescription) is refused")
        continue
      }
      #expect(summary(again) == summary(head), "seed \(seed)")
      #expect(byteCount >= text.utf8.count + 2 - 2 * head.fields.count, "seed \(seed)")
      #expect(head.method != .post || head.contentLength != nil)
      #expect(head.value(of: "transfer-encoding") == nil && head.count(of: "host") <= 1)
    }
    #expect(accepted > 500, "the mutations leave enough whole requests")
  }
}
