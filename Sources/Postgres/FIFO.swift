/// A queue with constant time at both ends.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0
  /// Used-up places at the front are given back when there are this many.
  private static var slack: Int { 4096 }

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }
  var first: Element? { isEmpty ? nil : elements[head] }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head].take()
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: elements.count <= Self.slack)
      head = 0
    } else if head >= Self.slack && head * 2 >= elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  mutating func removeAll() -> [Element] {
    let rest = elements[head...].compactMap { $0 }
    elements = []
    head = 0
    return rest
  }
}
