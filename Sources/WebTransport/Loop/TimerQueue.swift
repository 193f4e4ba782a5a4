/// Timers by their time: a binary heap in which each timer knows its place, so that cancelling costs no search.
struct TimerQueue {
  private var heap: [EventLoop.Timer] = []

  var first: EventLoop.Timer? { heap.first }

  mutating func insert(_ timer: EventLoop.Timer) {
    timer.place = heap.count
    heap.append(timer)
    rise(timer.place)
  }

  /// Takes a timer out, wherever it stands; nothing happens when it is not in.
  mutating func remove(_ timer: EventLoop.Timer) {
    let place = timer.place
    guard place >= 0 else { return }
    timer.place = -1
    let last = heap.removeLast()
    guard last !== timer else { return }
    heap[place] = last
    last.place = place
    rise(place)
    sink(last.place)
  }

  mutating func removeAll() {
    for timer in heap { timer.place = -1 }
    heap.removeAll()
  }

  private mutating func rise(_ start: Int) {
    var place = start
    while place > 0 {
      let parent = (place - 1) / 2
      guard heap[place].isBefore(heap[parent]) else { return }
      swap(place, parent)
      place = parent
    }
  }

  private mutating func sink(_ start: Int) {
    var place = start
    while true {
      var least = place
      for child in [2 * place + 1, 2 * place + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      guard least != place else { return }
      swap(place, least)
      place = least
    }
  }

  private mutating func swap(_ one: Int, _ other: Int) {
    heap.swapAt(one, other)
    heap[one].place = one
    heap[other].place = other
  }
}

extension EventLoop {
  /// Work that runs once, later.
  public final class Timer {
    /// Milliseconds of the loop's clock.
    let due: UInt64
    /// Orders timers of the same millisecond.
    let number: UInt64
    /// Index in the heap; -1 outside of it.
    var place = -1
    private unowned let loop: EventLoop
    private var work: (() -> Void)?

    init(_ loop: EventLoop, due: UInt64, number: UInt64, _ work: @escaping () -> Void) {
      self.loop = loop
      self.due = due
      self.number = number
      self.work = work
    }

    /// Ends the timer; its work does not run afterwards. Does nothing when it has run. On the loop only.
    public func cancel() {
      work = nil
      if place >= 0 { loop.forget(self) }
    }

    func isBefore(_ other: Timer) -> Bool { (due, number) < (other.due, other.number) }

    func fire() { work.take()?() }
  }
}
