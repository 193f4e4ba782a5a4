import HTTPFormat
import KeyRecords
import Logging
import PeerstackFormat
import Registry
import RegistryAPI
import WebTransport

extension RegistryHandler {
  /// `POST …/records`.
  func submit(_ request: WebRequest, to app: RegistryApp) async throws -> HTTPResponse {
    let isDryRun = try Parameters(request.head).flag("dry-run")
    let body = try SubmissionBody.verify(request.body, app: app.id).get()
    let isClaim = body.submission.record?.action == .claim
    guard isClaim, limiter.isOn, !(try await isKnown(body.submission, in: app)) else {
      return isDryRun ? try await dryRun(body, in: app) : try await submit(body, to: app).response
    }
    let client = addresses.client(of: request.head, peer: request.peerAddress)
    if isDryRun {
      if let wait = limiter.wait(for: client, at: request.loop.now) { throw Self.problem(wait) }
      return try await dryRun(body, in: app)
    }
    return try await claim(body, of: client, in: app, at: request.loop.now)
  }

  /// Whether a submission was accepted before: it is then answered as the first time, whatever has happened since (§5.2),
  /// and costs its address nothing.
  private func isKnown(_ submission: Submission, in app: RegistryApp) async throws -> Bool {
    guard let subject = submission.subject, let user = try await app.user(subject) else { return false }
    return user.entries.contains { $0.hash == submission.hash }
  }

  /// Submits a claim that counts against its address if it is accepted.
  private func claim(
    _ body: SubmissionBody, of client: IPAddress, in app: RegistryApp, at now: Duration
  ) async throws -> HTTPResponse {
    let place: ClaimLimiter.Place
    switch limiter.place(for: client, at: now) {
    case .success(let taken): place = taken
    case .failure(let wait): throw Self.problem(wait)
    }
    do {
      let (response, isCreated) = try await submit(body, to: app)
      if !isCreated { limiter.giveBack(place) }
      return response
    } catch let refusal as Refusal {
      limiter.giveBack(place)
      throw refusal
    }
    // When the registry is unavailable the claim may have been accepted all the same: its place stays taken.
  }

  private static func problem(_ wait: ClaimLimiter.RetryAfter) -> Problem {
    Problem(
      .rateLimited, detail: "too many claims from this address: try again after retryAfter seconds",
      facts: ["retryAfter": .integer(wait.seconds)])
  }

  private func submit(
    _ body: SubmissionBody, to app: RegistryApp
  ) async throws -> (response: HTTPResponse, isCreated: Bool) {
    switch try await app.submit(body) {
    case .created(let entry):
      report(body.submission, in: app)
      return (HTTPResponse(status: 201, fields: AnswerFields.freshJSON, body: entry), true)
    case .repeated(let entry):
      return (HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: entry), false)
    case .refused(let refusal): throw refusal
    }
  }

  private func report(_ submission: Submission, in app: RegistryApp) {
    let action = submission.record?.action.rawValue ?? (submission.subject == nil ? "policy" : "adjudication")
    logger.info(
      "accepted",
      metadata: [
        "app": "\(app.id)", "subject": "\(submission.subject?.text ?? "-")", "action": "\(action)",
        "hash": "\(submission.hash.hex)",
      ])
  }

  private func dryRun(_ body: SubmissionBody, in app: RegistryApp) async throws -> HTTPResponse {
    let outcome = try await app.dryRun(body).get()
    return HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: outcome.json.text)
  }
}
