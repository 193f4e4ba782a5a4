import HTTPFormat

// A request that an `ImmediateHandler` has taken on: it waits in the phase of handling, as with a task.
extension HTTPConnection {
  /// Lets the request wait for its answer.
  func wait(_ head: RequestHead, _ begin: (PendingAnswer) -> Void) {
    readDeadline = .max
    let start = service.rules.observe == nil ? nil : ContinuousClock.now
    phase = .handling(HandledRequest(head: head, bodyBytes: body.count, start: start))
    pendingNumber += 1
    isStartingHandler = true
    begin(PendingAnswer(connection: self, number: pendingNumber))
    isStartingHandler = false
  }

  /// See ``PendingAnswer``.
  func answer(_ number: UInt64, _ append: (borrowing RequestHead, inout ResponseOutput) -> Int?) {
    guard let request = takePending(number) else { return }
    let isInside = isStartingHandler
    var answers = takeOutput()
    let isAnswered = self.append(to: request.head, since: request.start, behind: &answers, append)
    output = answers
    if isAnswered {
      if !body.isEmpty { body = [] }
    } else {
      start(request.head)
    }
    // Inside of `process` the caller goes on and flushes.
    if !isInside { pump() }
  }

  /// See ``PendingAnswer``.
  func answer(_ number: UInt64, _ make: (borrowing RequestHead) -> HTTPResponse) {
    guard let request = takePending(number) else { return }
    let isInside = isStartingHandler
    body = []
    respond(make(request.head), to: request)
    // Inside of `process` the caller goes on and flushes.
    if !isInside { pump() }
  }

  /// The request, if it is this one that waits; from now on it does not.
  private func takePending(_ number: UInt64) -> HandledRequest? {
    precondition(loop.isCurrent)
    guard number == pendingNumber, case .handling(let request) = phase else { return nil }
    pendingNumber += 1
    return request
  }
}
