import HTTPFormat
public import RegistryClient
import WebTransport

/// Carries requests to one registrar over HTTP/1.1 and WebSocket.
///
/// Connections are kept and shared with all transports of the network to the same server. A request whose kept connection
/// turns out to have been closed is sent once more, over a new one; that is safe by protocol §5.2 (a record that was taken
/// is answered as the first time), but for a request with `Authorization`, whose nonce may be used up: it fails.
public struct WebRegistryTransport: RegistryTransport {
  private let client: WebClient
  private let address: RegistrarAddress

  init(_ client: WebClient, _ address: RegistrarAddress) {
    self.client = client
    self.address = address
  }

  /// Asks once.
  public func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    let webRequest = try webRequest(request)
    do throws(WebClientError) {
      let response = try await client.response(to: webRequest)
      return RegistryAnswer(status: response.status, headers: response.head.fields, body: response.body)
    } catch {
      throw TransportFailure(error)
    }
  }

  private func webRequest(_ request: RegistryRequest) throws(TransportFailure) -> WebClientRequest {
    var fields = HTTPFields()
    fields.add("accept", "application/json")
    if request.body != nil { fields.add("content-type", "application/json") }
    for (name, value) in request.headers where !fields.add(name: name, value: Array(value.utf8)) {
      throw .malformed("the header \(name) cannot be sent")
    }
    let method: HTTPMethod =
      switch request.method {
      case .get: .get
      case .post: .post
      }
    var webRequest = WebClientRequest(
      method, address.origin, target: try target(request.target), fields: fields, body: request.body ?? [],
      isRepeatable: fields.value(of: "authorization") == nil)
    webRequest.answerBytes = request.maxAnswerBytes
    webRequest.deadline = request.timeout
    return webRequest
  }

  /// The path on the server.
  private func target(_ target: String) throws(TransportFailure) -> String {
    guard target.hasPrefix("/") else { throw .malformed("“\(target)” does not begin with a slash") }
    return address.prefix + target
  }

  /// Opens the event feed.
  public func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    var limits = WebSocketClientLimits()
    limits.messageBytes = maxFrameBytes
    let target = try self.target(target)
    do throws(WebClientError) {
      let socket = try await client.openWebSocket(address.origin, target: target, limits: limits)
      return WebRegistryFeed(socket)
    } catch {
      throw TransportFailure(error)
    }
  }
}

/// An open event feed. It is closed when nobody holds it any more.
struct WebRegistryFeed: RegistryFeed {
  private let socket: WebSocketClient

  init(_ socket: WebSocketClient) {
    self.socket = socket
  }

  /// The next text frame, or the registrar's code when it has closed (protocol §8: 4000, 4001, 1001, 1008).
  func next() async throws(TransportFailure) -> RegistryFeedEvent {
    do throws(WebClientError) {
      if let text = try await socket.next() { return .text(text) }
      guard let closure = socket.closure, closure.isByServer else { return .closed(nil) }
      return .closed(closure.code)
    } catch {
      throw TransportFailure(error)
    }
  }

  /// Sends a text frame.
  func send(_ text: [UInt8]) async throws(TransportFailure) {
    do throws(WebClientError) { try await socket.send(text: text) } catch { throw TransportFailure(error) }
  }

  /// Closes.
  func close() async { await socket.close() }
}

extension TransportFailure {
  fileprivate init(_ error: WebClientError) {
    switch error.code {
    case .cancelled: self = .cancelled
    case .timedOut: self = .timedOut
    case .tooLarge: self = .tooLarge
    // Trying again would bring the same.
    case .malformedAnswer, .redirected, .invalidRequest: self = .malformed(error.reason)
    case .closed, .overloaded, .lookup, .addressRefused, .connect, .tls, .connectionLost, .upgradeRefused:
      self = .unreachable(error.reason)
    }
  }
}
