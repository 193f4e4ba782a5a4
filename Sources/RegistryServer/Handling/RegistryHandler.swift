import HTTPFormat
import KeyRecords
import Logging
import PeerstackFormat
import Registry
import RegistryAPI
import WebTransport

/// Answers every request of the protocol (§8). Plain functions on the loop of the connection: what memory holds is
/// answered without waiting.
final class RegistryHandler: WebHandler {
  let registry: Registry
  let limiter: ClaimLimiter
  let addresses: ClientAddresses
  let metrics: ServerMetrics
  let events: EventHub
  let document: StaticDocument
  let location: ServerLocation
  let logger: Logger

  init(_ parts: HandlerParts) {
    registry = parts.registry
    limiter = ClaimLimiter(limit: parts.claimsPerAddress)
    addresses = ClientAddresses(proxies: parts.trustedProxies)
    metrics = parts.metrics
    events = parts.events
    document = StaticDocument(mediaType: "application/json", body: OpenAPIDocument.bytes)
    location = parts.location
    logger = parts.logger
  }

  func bodyLimit(for head: RequestHead) -> Int {
    guard let length = head.contentLength, length > APILimits.bodyBytes else { return APILimits.bodyBytes }
    return Destination(head).bodyLimit
  }

  /// None where every request is logged, which is done here.
  func immediateHandler(on loop: EventLoop) -> (any ImmediateHandler)? {
    logger.logLevel <= .debug ? nil : RememberedAnswers(self, metrics.makeTally())
  }

  func respond(to request: WebRequest) async -> WebAnswer {
    let start = ContinuousClock.now
    let destination = Destination(request.head)
    let answer: WebAnswer
    do {
      answer = try await self.answer(request, at: destination)
    } catch {
      answer = .response(response(to: error, at: destination))
    }
    answered(request, at: destination, status: answer.status, after: ContinuousClock.now - start)
    return answer
  }

  func response(to fault: ConnectionFault) -> HTTPResponse {
    let problem = Self.problem(of: fault)
    metrics.refused(problem.code)
    metrics.answered(nil, status: problem.code.status, after: .zero)
    return .problem(problem)
  }

  private static func problem(of fault: ConnectionFault) -> Problem {
    switch fault {
    case .framing(.malformed(let malformation)):
      Problem(.malformed, detail: "the request is not HTTP/1.1 as it is read here: \(malformation.rawValue)")
    case .framing(.lengthRequired): Problem(.lengthRequired)
    case .framing(.headersTooLarge): Problem(.headersTooLarge)
    case .framing(.contentTooLarge): Problem(.tooLarge, facts: ["limit": .integer(Int64(APILimits.bodyBytes))])
    case .bodyTooLarge(let limit): Problem(.tooLarge, facts: ["limit": .integer(Int64(limit))])
    case .tooManyConnections: Problem(.unavailable, detail: "too many connections: try again later")
    }
  }

  /// The answer to `GET …/keys/{user}` when the registry could not read, counted; `start` is ``AnswerTally/now``'s.
  func keyResponse(to error: RegistryUnavailable, since start: Int64) -> HTTPResponse {
    let problem = problem(of: error)
    metrics.refused(problem.code)
    metrics.answered(.key, status: problem.code.status, after: .nanoseconds(AnswerTally.now - start))
    return .problem(problem)
  }

  private func response(to error: any Error, at destination: Destination) -> HTTPResponse {
    if case .methodNotAllowed(let endpoint)? = error as? RoutingError {
      metrics.refused(.methodNotAllowed)
      return .methodNotAllowed(allowed: endpoint.allow)
    }
    let problem = self.problem(of: error)
    metrics.refused(problem.code)
    return .problem(problem)
  }

  private func problem(of error: any Error) -> Problem {
    switch error {
    case let problem as Problem: return problem
    case let refusal as Refusal: return Problem(refusal)
    default:
      // The registry tells of outages itself, once; this is one line per request.
      logger.debug("a request could not be answered", metadata: ["reason": "\(error)"])
      return Problem(.unavailable)
    }
  }

  /// Tells metrics and the log. Of a request's line only the path is logged: a query may hold an authorization.
  private func answered(_ request: WebRequest, at destination: Destination, status: Int, after duration: Duration) {
    metrics.answered(destination.endpoint, status: status, after: duration)
    guard logger.logLevel <= .debug else { return }
    logger.debug(
      "request",
      metadata: [
        "method": "\(request.head.method.name)", "path": "\(request.head.path)", "status": "\(status)",
        "milliseconds": "\(duration / .milliseconds(1))",
        "client": "\(addresses.client(of: request.head, peer: request.peerAddress))",
      ])
  }
}

/// What a handler is made of.
struct HandlerParts {
  let registry: Registry
  let claimsPerAddress: Int
  let trustedProxies: [AddressRange]
  let metrics: ServerMetrics
  let events: EventHub
  let location: ServerLocation
  let logger: Logger
}

/// Why a request has no resource to answer it, where a problem alone does not say enough.
enum RoutingError: Error {
  /// The path is there, the method is not.
  case methodNotAllowed(Endpoint)
}

extension WebAnswer {
  var status: Int {
    switch self {
    case .response(let response): response.status
    case .webSocket: 101
    }
  }
}
