import CPrefetch

/// Finds items by a hash that they are known by: open addressing with linear probing, at most half full.
///
/// A dictionary keeps its keys and values in arrays of their own, and hashes once more. With a hundred thousand users
/// each step from one piece of memory to the next is a wait; here a look-up touches one line, which holds four cells.
struct HashTable<Item> {
  private struct Cell {
    /// Nil where the cell is empty.
    var item: Item?
    let hash: UInt32
  }

  private static var smallest: Int { 16 }

  private var cells = [Cell](repeating: Cell(item: nil, hash: 0), count: smallest)
  private(set) var count = 0

  private func home(_ hash: UInt32) -> Int { Int(hash) & (cells.count - 1) }

  private func next(_ index: Int) -> Int { (index + 1) & (cells.count - 1) }

  /// The cell with this hash of whose item `isWanted` says that it is the one.
  private func index(_ hash: UInt32, where isWanted: (Item) -> Bool) -> Int? {
    var index = home(hash)
    while let item = cells[index].item {
      if cells[index].hash == hash, isWanted(item) { return index }
      index = next(index)
    }
    return nil
  }

  /// The item with this hash of which `isWanted` says that it is the one; nil without it.
  func first(_ hash: UInt32, where isWanted: (Item) -> Bool) -> Item? {
    index(hash, where: isWanted).flatMap { cells[$0].item }
  }

  /// Has the cells fetched in which a search for this hash begins.
  func prefetch(_ hash: UInt32) {
    let index = home(hash)
    cells.withUnsafeBufferPointer { if let cells = $0.baseAddress { cprefetch_line(cells + index) } }
  }

  /// Puts in an item that is not in the table.
  mutating func insert(_ item: Item, _ hash: UInt32) {
    if 2 * (count + 1) > cells.count { grow() }
    count += 1
    put(Cell(item: item, hash: hash))
  }

  private mutating func put(_ cell: Cell) {
    var index = home(cell.hash)
    while cells[index].item != nil { index = next(index) }
    cells[index] = cell
  }

  private mutating func grow() {
    let old = cells
    cells = [Cell](repeating: Cell(item: nil, hash: 0), count: 2 * old.count)
    for cell in old where cell.item != nil { put(cell) }
  }

  /// Puts an item in the place of another that is known by the same hash.
  mutating func replace(_ hash: UInt32, with item: Item, where isWanted: (Item) -> Bool) {
    guard let index = index(hash, where: isWanted) else { return }
    cells[index].item = item
  }

  /// Takes an item out; nil without it.
  @discardableResult
  mutating func remove(_ hash: UInt32, where isWanted: (Item) -> Bool) -> Item? {
    guard var hole = index(hash, where: isWanted) else { return nil }
    let item = cells[hole].item
    count -= 1
    // Cells behind it that could stand in the hole are moved up, so that no search ends too early.
    var index = next(hole)
    while cells[index].item != nil {
      let distance = (index - home(cells[index].hash)) & (cells.count - 1)
      if distance >= (index - hole) & (cells.count - 1) {
        cells[hole] = cells[index]
        hole = index
      }
      index = next(index)
    }
    cells[hole] = Cell(item: nil, hash: 0)
    return item
  }
}
