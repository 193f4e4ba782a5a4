import Cryptography
import HTTPFormat
import KeyRecords
import Registry
import RegistryAPI
import WebTransport

extension RegistryHandler {
  /// The checks in the order of the protocol: app, path, method, headers, body.
  func answer(_ request: WebRequest, at destination: Destination) async throws -> WebAnswer {
    let head = request.head
    if Preflight.isAsked(by: head) || head.path == "*" {
      return .response(Preflight.answer(for: destination.endpoint))
    }
    switch destination {
    case .nowhere: throw Problem(.notFound)
    case .registrar(let endpoint):
      if head.method == .options { return .response(Preflight.answer(for: endpoint)) }
      guard endpoint.serves(head.method) else { throw RoutingError.methodNotAllowed(endpoint) }
      return .response(try await answer(head, at: endpoint))
    case .app(let text, let path):
      guard let id = AppID(text), let app = try await registry.app(id) else { throw Problem(.unknownApp) }
      guard let path else { throw Problem(.notFound) }
      if head.method == .options { return .response(Preflight.answer(for: path.endpoint)) }
      guard path.endpoint.serves(head.method) else { throw RoutingError.methodNotAllowed(path.endpoint) }
      return try await answer(request, at: path, of: app)
    }
  }

  private func answer(_ request: WebRequest, at path: APIPath, of app: RegistryApp) async throws -> WebAnswer {
    let head = request.head
    if path.endpoint.isForMembers {
      try await MemberGate.check(head, of: app, allowsParameter: path == .events)
    }
    if head.method == .post, let problem = JSONContent.problem(of: head) { throw problem }
    switch path {
    case .records: return .response(try await submit(request, to: app))
    case .key(let user): return .response(try await key(of: user, in: app, for: head))
    case .keyAt(let user, let sequence):
      return .response(try await key(of: user, at: sequence, in: app, for: head))
    case .user(let user): return .response(try await state(of: user, in: app, for: head))
    case .history(let user): return .response(try await history(of: user, in: app, for: head))
    case .resolve: return .response(try await resolve(request.body, in: app))
    case .export: return .response(try await export(app, for: head))
    case .events: return try events(of: app, for: head)
    case .app: return .response(try appAnswer(app, for: head))
    case .policies: return .response(try policies(of: app, for: head))
    case .peerHostInfo: return .response(try peerHostInfo(app, for: head))
    }
  }

  private func answer(_ head: RequestHead, at endpoint: Endpoint) async throws -> HTTPResponse {
    switch endpoint {
    case .peerHostInfo:
      guard let app = try await registry.firstApp() else { throw Problem(.unknownApp) }
      return try peerHostInfo(app, for: head)
    case .openAPI: return document.answer(head)
    case .healthz: return HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: Self.okBody)
    case .readyz:
      guard registry.isReady else {
        throw Problem(.unavailable, detail: "the database does not answer, or its schema is not the one known here")
      }
      return HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: Self.okBody)
    case .metrics: return measurements()
    default: throw Problem(.notFound)
    }
  }

  private static let okBody = Array("{\"status\":\"ok\"}".utf8)
}

/// A body that never changes.
struct StaticDocument: Sendable {
  private let response: HTTPResponse
  private let tag: [UInt8]

  init(mediaType: String, body: [UInt8]) {
    tag = EntityTags.tag(of: SHA256.hash(body))
    response = HTTPResponse(
      status: 200, fields: AnswerFields.with(mediaType, cache: "no-cache").tagged(tag), body: body)
  }

  func answer(_ head: RequestHead) -> HTTPResponse {
    head.ifNoneMatch(names: tag) ? HTTPResponse(status: 304, fields: response.fields) : response
  }
}
