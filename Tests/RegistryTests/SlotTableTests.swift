import Testing

@testable import Registry

@Suite("The table of places in memory")
struct SlotTableTests {
  /// The generator's numbers are the same in every run.
  private struct Numbers: RandomNumberGenerator {
    var state: UInt64 = 1

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  /// Few hashes for many places, so that they stand in each other's way, at the end of the table too.
  @Test("It finds what a dictionary finds, while places come, go and move", arguments: [7, 40, 100_000] as [UInt64])
  func likeADictionary(hashes: UInt64) {
    var numbers = Numbers()
    var table = SlotTable()
    var slots: [(name: Int, hash: UInt64)] = []
    for name in 0..<4_000 {
      if slots.isEmpty || numbers.next() % 5 < 3 {
        let hash = (numbers.next() % hashes) << 32 | (numbers.next() & 0xffff_ffff)
        table.insert(slots.count, hash)
        slots.append((name, hash))
      } else {
        // As memory puts a user out: the last one takes the place.
        let place = Int(numbers.next() % UInt64(slots.count))
        table.remove(place, slots[place].hash)
        let last = slots.removeLast()
        if place < slots.count {
          table.move(slots.count, to: place, last.hash)
          slots[place] = last
        }
      }
      guard name % 97 == 0 else { continue }
      for (place, slot) in slots.enumerated() {
        #expect(table.place(slot.hash) { slots[$0].name == slot.name } == place)
        #expect(table.place(slot.hash) { _ in false } == nil)
      }
    }
    #expect(slots.count > 100)
  }
}
