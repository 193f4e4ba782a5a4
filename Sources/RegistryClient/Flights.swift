import KeyRecords

/// Who waits for which user: many calls become few requests, and no user is asked for twice at a time.
///
/// Knows nothing of requests: it says what to send, and is told what came of it.
struct Flights<Answer: Sendable> {
  typealias CallID = Int
  typealias BatchID = Int
  typealias Answers = [UserID: Answer]

  private struct Call {
    var remaining: Set<UserID>
    var answers: Answers = [:]
    let continuation: CheckedContinuation<Answers, any Error>
  }

  private var calls: [CallID: Call] = [:]
  private var waiting: [UserID: Set<CallID>] = [:]
  /// In the order in which they were asked for; may hold users that nobody waits for any more.
  private var queue: [UserID] = []
  private var queued: Set<UserID> = []
  private var flying: [UserID: BatchID] = [:]
  private var batches: [BatchID: Set<UserID>] = [:]
  private var nextBatch = 0

  /// Users that wait to be asked for.
  var queuedCount: Int { queued.count }
  /// Requests under way.
  var batchCount: Int { batches.count }
  /// Whether nobody waits for anything.
  var isIdle: Bool { calls.isEmpty && waiting.isEmpty && queued.isEmpty && batches.isEmpty }

  /// Adds a call, which is resumed once all its users have answers.
  mutating func add(_ call: CallID, for users: Set<UserID>, _ continuation: CheckedContinuation<Answers, any Error>) {
    calls[call] = Call(remaining: users, continuation: continuation)
    for user in users {
      waiting[user, default: []].insert(call)
      if flying[user] == nil, queued.insert(user).inserted { queue.append(user) }
    }
  }

  /// Takes up to `count` users for one request; nil if none wait.
  mutating func takeBatch(upTo count: Int) -> (BatchID, Set<UserID>)? {
    var users: Set<UserID> = []
    var taken = 0
    while taken < queue.count, users.count < count {
      if queued.remove(queue[taken]) != nil { users.insert(queue[taken]) }
      taken += 1
    }
    queue.removeFirst(taken)
    guard !users.isEmpty else { return nil }
    nextBatch += 1
    batches[nextBatch] = users
    for user in users { flying[user] = nextBatch }
    return (nextBatch, users)
  }

  /// A request has come to its end.
  mutating func land(_ batch: BatchID, _ answers: Answers) {
    for user in batches.removeValue(forKey: batch) ?? [] {
      flying[user] = nil
      guard let answer = answers[user] else { continue }
      for call in waiting.removeValue(forKey: user) ?? [] { finish(call, user, answer) }
    }
  }

  private mutating func finish(_ id: CallID, _ user: UserID, _ answer: Answer) {
    guard var call = calls[id] else { return }
    call.answers[user] = answer
    call.remaining.remove(user)
    if call.remaining.isEmpty {
      calls[id] = nil
      call.continuation.resume(returning: call.answers)
    } else {
      calls[id] = call
    }
  }

  /// Ends a call that nobody waits for any more: the request that nobody waits for then, if there is one.
  mutating func cancel(_ id: CallID) -> Set<BatchID> {
    guard let call = calls.removeValue(forKey: id) else { return [] }
    call.continuation.resume(throwing: CancellationError())
    var abandoned: Set<BatchID> = []
    for user in call.remaining {
      waiting[user]?.remove(id)
      guard waiting[user]?.isEmpty ?? false else { continue }
      waiting[user] = nil
      queued.remove(user)
      // Who asks for this user from now on must not join a request that is being given up.
      guard let batch = flying.removeValue(forKey: user) else { continue }
      batches[batch]?.remove(user)
      if batches[batch]?.isEmpty ?? false { abandoned.insert(batch) }
    }
    return abandoned
  }
}
