/// What stands in one ``PlacedList`` at most, and knows where.
protocol Placed: AnyObject {
  /// The index in the list; -1 outside.
  var place: Int { get set }
}

/// Objects in no order, each taken out in no time: the last one takes its place.
struct PlacedList<Member: Placed> {
  private(set) var all: [Member] = []

  mutating func insert(_ member: Member) {
    member.place = all.count
    all.append(member)
  }

  /// Whether it was there.
  @discardableResult
  mutating func remove(_ member: Member) -> Bool {
    guard member.place >= 0 else { return false }
    let last = all.removeLast()
    if last !== member {
      all[member.place] = last
      last.place = member.place
    }
    member.place = -1
    return true
  }
}
