import HTTPFormat
import WebTransport

/// A running registrar, asked over HTTP.
struct RegistrarServer: CustomStringConvertible {
  /// A whole answer.
  struct Answer {
    let status: Int
    let body: [UInt8]
  }

  private let client: WebClient
  private let origin: WebOrigin
  private let prefix: String
  private let deadline: Duration

  var description: String { origin.description + prefix }

  /// Runs `body` with a registrar.
  ///
  /// - Parameters:
  ///   - address: `http://HOST:PORT` or `https://HOST`, with a path if the registrar lies below one.
  ///   - deadline: the longest time for one answer.
  static func with<T>(
    _ address: String, deadline: Duration = .seconds(30), _ body: (RegistrarServer) async throws -> T
  ) async throws -> T {
    guard address.lowercased().hasPrefix("http"), let url = WebURL(address), !url.target.contains("?") else {
      throw CommandFailure("\"\(address)\" is no address of a registrar: write https://HOST or http://127.0.0.1:8787")
    }
    let loop = try EventLoop.start(name: "client")
    let client = WebClient(on: loop)
    let prefix = url.target.hasSuffix("/") ? String(url.target.dropLast()) : url.target
    let server = RegistrarServer(client: client, origin: url.origin, prefix: prefix, deadline: deadline)
    do {
      let value = try await body(server)
      await client.close()
      loop.stop()
      return value
    } catch {
      await client.close()
      loop.stop()
      throw error
    }
  }

  func get(_ path: String) async throws -> Answer {
    try await answer(WebClientRequest(.get, origin, target: prefix + path))
  }

  /// Posts JSON. What is posted may come twice without harm: a registrar answers it as the first time (protocol §5.2).
  func post(_ path: String, _ body: [UInt8]) async throws -> Answer {
    var fields = HTTPFields()
    fields.add("Content-Type", "application/json")
    return try await answer(
      WebClientRequest(.post, origin, target: prefix + path, fields: fields, body: body, isRepeatable: true))
  }

  private func answer(_ request: WebClientRequest) async throws -> Answer {
    var request = request
    request.deadline = deadline
    do {
      let response = try await client.response(to: request)
      return Answer(status: response.status, body: response.body)
    } catch {
      throw CommandFailure("cannot ask \(self): \(error.reason): check the address and that the registrar runs")
    }
  }
}
