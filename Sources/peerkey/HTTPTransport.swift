import HTTPFormat
import RegistryClient
import WebTransport

/// Requests to one registrar over our own HTTP client.
struct HTTPTransport: RegistryTransport {
  let client: WebClient
  let address: RegistrarAddress

  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    var fields = HTTPFields()
    if request.body != nil { _ = fields.add("Content-Type", "application/json") }
    for (name, value) in request.headers { _ = fields.add(name: name, value: Array(value.utf8)) }
    var web = WebClientRequest(
      request.method == .get ? .get : .post, address.origin, target: address.path + request.target, fields: fields,
      body: request.body ?? [])
    web.answerBytes = request.maxAnswerBytes
    web.deadline = request.timeout
    do throws(WebClientError) {
      let response = try await client.response(to: web)
      return RegistryAnswer(status: response.status, headers: response.head.fields, body: response.body)
    } catch {
      throw Self.failure(error)
    }
  }

  private static func failure(_ error: WebClientError) -> TransportFailure {
    switch error.code {
    case .cancelled, .closed: .cancelled
    case .timedOut: .timedOut
    case .tooLarge: .tooLarge
    case .malformedAnswer, .redirected, .invalidRequest, .upgradeRefused: .malformed(error.reason)
    case .overloaded, .lookup, .addressRefused, .connect, .tls, .connectionLost: .unreachable(error.reason)
    }
  }

  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    throw .malformed("not here")
  }
}
