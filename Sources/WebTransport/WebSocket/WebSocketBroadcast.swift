/// Sends messages to many connections of one loop, a part in each turn, so that the others of the loop are served in
/// between. Messages reach every connection in the order in which they were given to `send`.
///
/// On the loop only.
public final class WebSocketBroadcast {
  private struct Sending {
    let frame: WebSocketFrame
    let connections: [WebSocketConnection]
    let onRefusal: (WebSocketConnection) -> Void
    var next = 0
  }

  /// Connections per turn: a few milliseconds.
  private static let connectionsPerTurn = 256

  private let loop: EventLoop
  private var waiting: [Sending] = []
  private var isScheduled = false

  /// For connections that live on `loop`.
  public init(on loop: EventLoop) {
    self.loop = loop
  }

  /// Sends `frame` to all of `connections`. One that cannot take it, and is open, is given to `onRefusal`, which closes it.
  public func send(
    _ frame: WebSocketFrame, to connections: [WebSocketConnection],
    onRefusal: @escaping (WebSocketConnection) -> Void
  ) {
    precondition(loop.isCurrent)
    waiting.append(Sending(frame: frame, connections: connections, onRefusal: onRefusal))
    if !isScheduled { sendSome() }
  }

  private func sendSome() {
    isScheduled = false
    var budget = WebSocketBroadcast.connectionsPerTurn
    while budget > 0, !waiting.isEmpty {
      budget -= sendFirst(atMost: budget)
    }
    if !waiting.isEmpty {
      isScheduled = true
      loop.schedule(after: .zero) { [self] in sendSome() }
    }
  }

  /// Goes on with the first message; returns how many connections that concerned, at least one.
  private func sendFirst(atMost budget: Int) -> Int {
    var first = waiting[0]
    let end = min(first.next + budget, first.connections.count)
    for connection in first.connections[first.next..<end] where !connection.send(first.frame) && connection.isOpen {
      first.onRefusal(connection)
    }
    let count = max(1, end - first.next)
    first.next = end
    if end == first.connections.count {
      waiting.removeFirst()
    } else {
      waiting[0] = first
    }
    return count
  }
}
