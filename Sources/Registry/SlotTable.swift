/// Finds places in an array by the hash of what stands there: open addressing with linear probing, at most half full.
///
/// A dictionary keeps its keys and values in arrays of their own; with a hundred thousand users each of them is a wait for
/// memory. Here it is one, of a line that holds eight cells.
struct SlotTable {
  private struct Cell {
    var tag: UInt32
    /// -1 where the cell is empty.
    var place: Int32
  }

  private static let empty = Cell(tag: 0, place: -1)
  private static let smallest = 16

  private var cells = [Cell](repeating: empty, count: smallest)
  private var count = 0

  /// The part of a hash that is kept.
  private static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash >> 32) }

  private func home(_ tag: UInt32) -> Int { Int(tag) & (cells.count - 1) }

  private func next(_ index: Int) -> Int { (index + 1) & (cells.count - 1) }

  /// The place with this hash of which `isWanted` says that it is the one; nil without it.
  func place(_ hash: UInt64, where isWanted: (Int) -> Bool) -> Int? {
    let tag = Self.tag(hash)
    var index = home(tag)
    while cells[index].place >= 0 {
      if cells[index].tag == tag, isWanted(Int(cells[index].place)) { return Int(cells[index].place) }
      index = next(index)
    }
    return nil
  }

  /// Notes a place that is not in the table.
  mutating func insert(_ place: Int, _ hash: UInt64) {
    if 2 * (count + 1) > cells.count { grow() }
    count += 1
    put(Cell(tag: Self.tag(hash), place: Int32(place)))
  }

  private mutating func put(_ cell: Cell) {
    var index = home(cell.tag)
    while cells[index].place >= 0 { index = next(index) }
    cells[index] = cell
  }

  private mutating func grow() {
    let old = cells
    cells = [Cell](repeating: Self.empty, count: 2 * old.count)
    for cell in old where cell.place >= 0 { put(cell) }
  }

  /// What stood at one place stands at another now.
  mutating func move(_ place: Int, to target: Int, _ hash: UInt64) {
    guard let index = index(of: place, hash) else { return }
    cells[index].place = Int32(target)
  }

  mutating func remove(_ place: Int, _ hash: UInt64) {
    guard var hole = index(of: place, hash) else { return }
    count -= 1
    // Cells behind it that could stand in the hole are moved up, so that no search ends too early.
    var index = next(hole)
    while cells[index].place >= 0 {
      let distance = (index - home(cells[index].tag)) & (cells.count - 1)
      if distance >= (index - hole) & (cells.count - 1) {
        cells[hole] = cells[index]
        hole = index
      }
      index = next(index)
    }
    cells[hole] = Self.empty
  }

  private func index(of place: Int, _ hash: UInt64) -> Int? {
    var index = home(Self.tag(hash))
    while cells[index].place >= 0 {
      if cells[index].place == Int32(place) { return index }
      index = next(index)
    }
    return nil
  }
}
