/// One statement on its way to the server, and who waits for its answer.
///
/// `@unchecked Sendable`: made where the question is asked, handed to the loop, and touched by that loop alone from then
/// on.
final class Request: @unchecked Sendable {
  enum Command {
    case prepared(PreparedStatement, EncodedParameters)
    case text(String, EncodedParameters)
  }

  enum Completion {
    case continuation(CheckedContinuation<PostgresRows, any Error>)
    case callback((Result<PostgresRows, PostgresError>) -> Void)
  }

  let command: Command
  /// Whether it may be sent a second time when it failed through no fault of its own. Only for what changes nothing.
  let isRepeatable: Bool
  /// What a dead connection means for it.
  let lossKind: PostgresError.Kind
  var wasRepeated = false
  private var completion: Completion?

  init(
    _ command: Command, isRepeatable: Bool = false, lossKind: PostgresError.Kind = .connectionLost,
    completion: Completion
  ) {
    self.command = command
    self.isRepeatable = isRepeatable
    self.lossKind = lossKind
    self.completion = completion
  }

  var statementName: String? {
    if case .prepared(let statement, _) = command { statement.name } else { nil }
  }

  /// Resumes who waits. Once: later calls find nobody.
  func complete(_ result: Result<PostgresRows, PostgresError>) {
    guard let completion = completion.take() else {
      assertionFailure("a request was completed twice")
      return
    }
    let result = result.mapError { error in
      var error = error
      error.statement = error.statement ?? statementName
      return error
    }
    switch completion {
    case .continuation(let continuation): continuation.resume(with: result.mapError { $0 as any Error })
    case .callback(let callback): callback(result)
    }
  }

  func fail(_ error: PostgresError) { complete(.failure(error)) }

  /// Fails with what the death of its connection means for it.
  func failByLoss(_ error: PostgresError) {
    var error = error
    error.kind = lossKind
    if lossKind == .outcomeUnknown {
      error.message = "the connection died during a commit, which may or may not have happened: \(error.message)"
    }
    fail(error)
  }
}
