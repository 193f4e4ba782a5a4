import KeyRecords
import Postgres

/// Reads of single users of an app on one loop. Those that are asked for while others are under way travel
/// together with the next one, as commits do in groups: a statement costs far more than a user more in it.
///
/// `@unchecked Sendable`: all that changes belongs to the loop's thread; every entry checks that.
final class GroupedReads: @unchecked Sendable {
  /// Reads that are under way at a time, unless they are full: while one is answered, Postgres is at work for the other.
  static let readsAtOnce = 2

  let loop: any PostgresLoop
  private let reading: UserReading
  /// What the next statement reads.
  private var next: Group?
  private var underWay = 0
  private var isSendingDue = false

  private struct Group {
    let fill = Fill()
    var ids: [UserID] = []
  }

  init(on loop: any PostgresLoop, _ reading: UserReading) {
    self.loop = loop
    self.reading = reading
  }

  /// The read that brings a user: one that is under way already, or the next one from here. On the loop only.
  func read(_ id: UserID) -> Fill {
    precondition(loop.isCurrent)
    var group = next ?? Group()
    // Noted before the statement is sent: ``MemoryIndex`` asks for no more.
    if let other = reading.note(id, group.fill) { return other }
    next = nil
    group.ids.append(id)
    let fill = group.fill
    if group.ids.count == UserReading.usersPerQuery {
      ask(group)
    } else {
      next = group
      if underWay < Self.readsAtOnce { sendSoon() }
    }
    return fill
  }

  private func sendSoon() {
    if isSendingDue { return }
    isSendingDue = true
    loop.atEndOfTurn { self.sendNext() }
  }

  private func sendNext() {
    isSendingDue = false
    if let group = next.take() { ask(group) }
  }

  private func ask(_ group: Group) {
    underWay += 1
    reading.ask(for: group.ids, group.fill) { [self] in
      underWay -= 1
      if next != nil, underWay < Self.readsAtOnce { sendSoon() }
    }
  }
}
