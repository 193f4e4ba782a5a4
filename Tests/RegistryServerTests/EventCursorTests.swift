import Testing

@testable import RegistryServer

/// From stored entries to published ones, without a gap and without anything twice.
@Suite("Event cursor") struct EventCursorTests {
  /// What a consumer is sent when pages and publications come in a certain order.
  private struct Run {
    var cursor: EventCursor
    var published: Int64
    var sent: [Int64] = []

    mutating func page(_ indexes: ClosedRange<Int64>) {
      for index in indexes where cursor.read(index, published: published) { sent.append(index) }
    }

    mutating func publish(_ index: Int64) -> EventCursor.Decision {
      published = index
      let decision = cursor.published(index)
      if decision == .send { sent.append(index) }
      return decision
    }
  }

  @Test("without a cursor everything comes, then what is published")
  func fromTheBeginning() {
    var run = Run(cursor: EventCursor(after: nil), published: 3)
    #expect(run.cursor.after == nil)
    run.page(0...1)
    #expect(run.cursor.phase == .catchingUp)
    #expect(run.cursor.after == 1)
    run.page(2...3)
    #expect(run.cursor.phase == .live)
    #expect(run.publish(4) == .send)
    #expect(run.sent == [0, 1, 2, 3, 4])
  }

  @Test("what is published while pages are read is left to the pages")
  func publishedMeanwhile() {
    var run = Run(cursor: EventCursor(after: 1), published: 3)
    run.page(2...2)
    #expect(run.publish(4) == .ignore)
    run.page(3...3)
    #expect(run.cursor.phase == .catchingUp)
    #expect(run.publish(5) == .ignore)
    run.page(4...5)
    #expect(run.cursor.phase == .live)
    #expect(run.publish(6) == .send)
    #expect(run.sent == [2, 3, 4, 5, 6])
  }

  @Test("a page may know more than was published")
  func pageAhead() {
    var run = Run(cursor: EventCursor(after: 1), published: 2)
    run.page(2...4)
    #expect(run.cursor.phase == .live)
    #expect(run.sent == [2])
    for index in Int64(3)...5 { #expect(run.publish(index) == .send) }
    #expect(run.sent == [2, 3, 4, 5])
  }

  @Test("pages that overlap give nothing twice, and one with a gap is read again")
  func overlapsAndGaps() {
    var run = Run(cursor: EventCursor(after: nil), published: 9)
    run.page(0...3)
    run.page(2...5)
    run.page(8...9)
    #expect(run.sent == [0, 1, 2, 3, 4, 5])
    #expect(run.cursor.after == 5)
    #expect(run.cursor.phase == .catchingUp)
  }

  @Test("nothing to catch up with")
  func upToDate() {
    var cursor = EventCursor(after: 7)
    cursor.goLiveIfComplete(published: 8)
    #expect(cursor.phase == .catchingUp)
    cursor.goLiveIfComplete(published: 7)
    #expect(cursor.phase == .live)
    #expect(cursor.published(7) == .ignore)
    #expect(cursor.published(8) == .send)
  }

  @Test("a gap in what is published sends the consumer back to the pages")
  func gapInTheFeed() {
    var run = Run(cursor: EventCursor(after: 7), published: 7)
    run.cursor.goLiveIfComplete(published: 7)
    #expect(run.publish(10) == .readOn)
    #expect(run.cursor.phase == .catchingUp)
    run.page(8...10)
    #expect(run.cursor.phase == .live)
    #expect(run.publish(11) == .send)
    #expect(run.sent == [8, 9, 10, 11])
  }

  @Test("whatever the order of pages and publications, each entry is sent once and in order", arguments: 0..<200)
  func anyOrder(seed: UInt64) {
    var random = SeededRandomness(seed: seed)
    let total: Int64 = 60
    var stored = Int64.random(in: 0...20, using: &random)
    var run = Run(cursor: EventCursor(after: nil), published: stored)
    while run.sent.count <= total {
      if run.cursor.phase == .live || Bool.random(using: &random) {
        // Publications lag behind what is stored, but never skip.
        stored = max(stored, run.published + 1)
        _ = run.publish(run.published + 1)
      } else {
        stored += Int64.random(in: 0...2, using: &random)
        let first = run.cursor.next
        let last = min(stored, first + Int64.random(in: 0...9, using: &random))
        if first <= last { run.page(first...last) }
      }
    }
    #expect(run.sent == Array(0...Int64(run.sent.count - 1)))
  }
}

/// The same numbers for the same seed.
struct SeededRandomness: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &+ 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
