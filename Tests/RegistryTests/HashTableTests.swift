import Testing

@testable import Registry

@Suite("The table of what is in memory")
struct HashTableTests {
  private final class Item {
    let name: Int
    let hash: UInt32
    init(_ name: Int, _ hash: UInt32) { (self.name, self.hash) = (name, hash) }
  }

  /// Few hashes for many items, so that they stand in each other's way, at the end of the table too.
  @Test("It finds what a dictionary finds, while items come, go and change", arguments: [7, 40, 100_000] as [UInt32])
  func likeADictionary(hashes: UInt32) {
    var numbers = Numbers()
    var table = HashTable<Item>()
    var items: [Item] = []
    for name in 0..<4_000 {
      table.prefetch(UInt32(name))
      if items.isEmpty || numbers.next() % 5 < 3 {
        let item = Item(name, UInt32.random(in: 0..<hashes, using: &numbers))
        table.insert(item, item.hash)
        items.append(item)
      } else {
        let place = Int.random(in: 0..<items.count, using: &numbers)
        let old = items[place]
        if numbers.next() % 3 == 0 {
          items[place] = Item(old.name, old.hash)
          table.replace(old.hash, with: items[place]) { $0.name == old.name }
        } else {
          #expect(table.remove(old.hash) { $0.name == old.name } === old)
          #expect(table.remove(old.hash) { $0.name == old.name } == nil)
          items.swapAt(place, items.count - 1)
          items.removeLast()
        }
      }
      guard name % 397 == 0 else { continue }
      #expect(table.count == items.count)
      for item in items {
        #expect(table.first(item.hash) { $0.name == item.name } === item)
        #expect(table.first(item.hash) { _ in false } == nil)
      }
    }
    #expect(items.count > 100)
  }
}
