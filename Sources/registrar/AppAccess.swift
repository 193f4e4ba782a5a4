import ArgumentParser
import CommandArguments
import KeyRecords
import PeerstackFormat
import Registry
import RegistryAPI

/// One app as an admin works with it: at a running registrar, or in the database.
protocol AppAccess {
  var id: AppID { get }
  /// The policy in force, and the time as the registrar has it.
  func policy() async throws -> (policy: AppPolicy, now: Milliseconds)
  /// The state of a user; nil if nobody has claimed the id.
  func state(of user: UserID) async throws -> JSONObject?
  /// The entries of a user, oldest first.
  func entries(of user: UserID) async throws -> [Entry]
  /// Submits the body of a `POST …/records`, or asks what would become of it.
  func submit(_ body: [UInt8], isDryRun: Bool) async throws -> SubmissionAnswer
}

/// What a registrar said to a submission.
enum SubmissionAnswer {
  /// The entry, or of a dry run its five fields.
  case accepted(JSONObject)
  /// A problem document.
  case refused(code: ProblemCode, problem: JSONObject)

  init(_ problem: Problem) {
    self = .refused(code: problem.code, problem: (try? JSONValue.parseStrict(problem.body))?.object ?? [:])
  }
}

/// Where the app is: a running registrar, else the database.
struct AccessOptions: ParsableArguments {
  @Option(
    name: .customLong("server"),
    help: ArgumentHelp(
      "A running registrar to work with instead of the database, as https://keys.example. [env: REGISTRAR_SERVER]",
      valueName: "url"))
  var serverFlag: String?

  @OptionGroup var database: DatabaseOptions

  /// Runs `body` with an app. A database that is named by a flag goes before a registrar that the environment names.
  func withApp<T>(_ id: AppID, _ body: (any AppAccess) async throws -> T) async throws -> T {
    if serverFlag != nil, database.isNamedByFlag {
      throw ValidationError("give --server, or --data or --database, not both")
    }
    if !database.isNamedByFlag, let address = Settings.text(serverFlag, "REGISTRAR_SERVER") {
      return try await RegistrarServer.with(address) { try await body(ServedApp(id: id, server: $0)) }
    }
    return try await database.withApp(id) { _, app in try await body(StoredApp(app: app)) }
  }
}

/// An app at a running registrar.
struct ServedApp: AppAccess {
  let id: AppID
  let server: RegistrarServer

  func policy() async throws -> (policy: AppPolicy, now: Milliseconds) {
    let fields = try await object(.app, "the policy of \(id)") ?? [:]
    guard let value = fields["policy"], let now = fields["time"]?.integer,
      case .success(.policy(let policy)) = Submission.verify(value, app: id)
    else { throw CommandFailure("\(server) does not answer as a registrar does: check the address") }
    return (policy, now)
  }

  func state(of user: UserID) async throws -> JSONObject? {
    try await object(.user(user.text), "the state of \(user)", absent: .unknownUser)
  }

  func entries(of user: UserID) async throws -> [Entry] {
    let values = try await object(.history(user: user.text), "the history of \(user)", absent: .unknownUser)
    return try (values?["entries"]?.array ?? []).map { value in
      guard case .success(let entry) = Entry.verify(value, app: id) else {
        throw CommandFailure("\(server) shows a history of \(user) that is none: do not trust it")
      }
      return entry
    }
  }

  func submit(_ body: [UInt8], isDryRun: Bool) async throws -> SubmissionAnswer {
    let answer = try await server.post(APIPath.records.path(of: id) + (isDryRun ? "?dry-run=true" : ""), body)
    let fields = try fields(of: answer)
    guard answer.status >= 400 else { return .accepted(fields) }
    return .refused(code: try code(of: fields, status: answer.status), problem: fields)
  }

  private func object(_ path: APIPath, _ what: String, absent: ProblemCode? = nil) async throws -> JSONObject? {
    let answer = try await server.get(path.path(of: id))
    let fields = try fields(of: answer)
    guard answer.status >= 400 else { return fields }
    let code = try code(of: fields, status: answer.status)
    if code == absent { return nil }
    let hint = code == .notAuthorised ? "only members may read; work with the database instead" : code.detail
    throw CommandFailure("cannot read \(what) at \(server): \(code.rawValue): \(hint)")
  }

  private func fields(of answer: RegistrarServer.Answer) throws -> JSONObject {
    guard let object = (try? JSONValue.parseStrict(answer.body, maxDepth: Self.answerDepth))?.object else {
      throw CommandFailure("\(server) answered with status \(answer.status), and not as a registrar does")
    }
    return object
  }

  private func code(of problem: JSONObject, status: Int) throws -> ProblemCode {
    guard let code = problem["code"]?.string.flatMap(ProblemCode.init(rawValue:)) else {
      throw CommandFailure("\(server) answered with status \(status), and not as a registrar does")
    }
    return code
  }

  /// A record lies three levels deep in a history.
  private static let answerDepth = Limits.depth + 3
}

/// An app in the database.
struct StoredApp: AppAccess {
  let app: RegistryApp
  var id: AppID { app.id }

  func policy() async throws -> (policy: AppPolicy, now: Milliseconds) {
    let snapshot = try app.snapshot()
    return (snapshot.policy, snapshot.time)
  }

  func state(of user: UserID) async throws -> JSONObject? {
    guard let snapshot = try await app.user(user) else { return nil }
    return (try? JSONValue.parseStrict(snapshot.stateText))?.object
  }

  func entries(of user: UserID) async throws -> [Entry] {
    try (await app.user(user)?.entries ?? []).map { stored in
      guard let value = try? JSONValue.parseStrict(stored.text, maxDepth: Limits.depth + 1),
        case .success(let entry) = Entry.verify(value, app: id)
      else { throw CommandFailure("entry \(stored.index) is no entry: run `registrar check`") }
      return entry
    }
  }

  func submit(_ body: [UInt8], isDryRun: Bool) async throws -> SubmissionAnswer {
    switch SubmissionBody.verify(body, app: id) {
    case .failure(let refusal): return SubmissionAnswer(Problem(refusal))
    case .success(let submission) where isDryRun:
      switch try await app.dryRun(submission) {
      case .success(let answer): return .accepted(answer.json.object ?? [:])
      case .failure(let refusal): return SubmissionAnswer(Problem(refusal))
      }
    case .success(let submission):
      switch try await app.submit(submission) {
      case .created(let text), .repeated(let text):
        return .accepted((try? JSONValue.parseStrict(text, maxDepth: Limits.depth + 1))?.object ?? [:])
      case .refused(let refusal): return SubmissionAnswer(Problem(refusal))
      }
    }
  }
}
