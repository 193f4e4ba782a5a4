import HTTPFormat
import Synchronization
import Testing

@testable import WebTransport

/// Runs `body` with a client of a server that follows `script`.
func withClient<Value: Sendable>(
  _ configuration: WebClientConfiguration = WebClientConfiguration(), tls: ClientTestTLS? = nil,
  _ script: @escaping @Sendable (ClientTestConnection) -> Void,
  _ body: (WebClient, WebOrigin, ClientTestServer) async throws -> Value
) async throws -> Value {
  let server = try ClientTestServer(tls: tls, script)
  let loop = try EventLoop.start(name: "client")
  let client = WebClient(on: loop, configuration: configuration)
  let origin = try #require(WebOrigin(isSecure: tls != nil, host: "127.0.0.1", port: server.port))
  let outcome: Result<Value, any Error>
  do {
    outcome = .success(try await body(client, origin, server))
  } catch {
    outcome = .failure(error)
  }
  await client.close()
  loop.stop()
  server.stop()
  return try outcome.get()
}

/// The error of a call that fails, or nil.
func failure(_ call: () async throws(WebClientError) -> WebClientResponse) async -> WebClientError? {
  do throws(WebClientError) {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}

let okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Client requests")
struct ClientRequestTests {
  @Test("A request has the fields and the body it should, the answer its status, fields and body")
  func getAndPost() async throws {
    try await withClient { connection in
      while let request = connection.readRequest() {
        connection.send("HTTP/1.1 201 Created\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: \(request.utf8.count)\r\n\r\n")
        connection.send(request)
      }
    } _: { client, origin, server in
      var fields = HTTPFields()
      fields.add("accept", "application/json")
      let get = try await client.response(to: WebClientRequest(.get, origin, target: "/a?b=c", fields: fields))
      #expect(get.status == 201)
      #expect(get.head.value(of: "x-one") == "1, 2")
      #expect(
        String(decoding: get.body, as: UTF8.self)
          == "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:\(origin.port)\r\naccept: application/json\r\n\r\n")
      let post = try await client.response(to: WebClientRequest(.post, origin, target: "/", body: Array("{}".utf8)))
      #expect(
        String(decoding: post.body, as: UTF8.self)
          == "POST / HTTP/1.1\r\nHost: 127.0.0.1:\(origin.port)\r\nContent-Length: 2\r\n\r\n{}")
      let empty = try await client.response(to: WebClientRequest(.post, origin, target: "/"))
      #expect(String(decoding: empty.body, as: UTF8.self).hasSuffix("\r\nContent-Length: 0\r\n\r\n"))
      #expect(server.connectionCount == 1)
    }
  }

  @Test("A body of many megabytes goes and comes whole")
  func largeBodies() async throws {
    let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    try await withClient { connection in
      guard let head = connection.readHeadOnly(), let length = head.contentLength, let got = connection.read(length)
      else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(got.count)\r\n\r\n")
      connection.send(got)
    } _: { client, origin, _ in
      let answer = try await client.response(to: WebClientRequest(.post, origin, target: "/", body: body))
      #expect(answer.body == body)
    }
  }

  @Test(
    "An answer is the same however it is cut",
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=\"y\"\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 05\r\n\r\nhello",
    ])
  func splitAnswers(text: String) async throws {
    try await withClient { connection in
      while connection.readRequest() != nil {
        for byte in text.utf8 { connection.send([byte]) }
      }
    } _: { client, origin, server in
      for _ in 0..<3 {
        let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        #expect(String(decoding: answer.body, as: UTF8.self) == "hello")
      }
      #expect(server.connectionCount == 1)
    }
  }

  @Test("A body without a length ends with the connection, which is not used again")
  func untilEnd() async throws {
    try await withClient { connection in
      guard connection.readRequest() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\n\r\nhe")
      connection.send("llo")
    } _: { client, origin, server in
      for _ in 0..<2 {
        let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        #expect(String(decoding: answer.body, as: UTF8.self) == "hello")
      }
      #expect(server.connectionCount == 2)
    }
  }

  @Test("HEAD, 204 and 304 have no body, whatever length they give")
  func noBody() async throws {
    try await withClient { connection in
      while let request = connection.readRequest() {
        let status = request.components(after: "/status/").map { String($0.prefix(3)) } ?? "200"
        connection.send("HTTP/1.1 \(status) X\r\nContent-Length: 500\r\n\r\n")
      }
    } _: { client, origin, server in
      for (method, status) in [(HTTPMethod.head, 200), (.get, 204), (.get, 304)] {
        let answer = try await client.response(to: WebClientRequest(method, origin, target: "/status/\(status)"))
        #expect(answer.status == status)
        #expect(answer.body.isEmpty)
      }
      #expect(server.connectionCount == 1)
    }
  }

  @Test(
    "The server's close is heeded, and so are bytes that nobody asked for",
    arguments: [
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
      "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
      okay + "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
    ])
  func connectionsThatAreNotKept(text: String) async throws {
    try await withClient { connection in
      guard connection.readRequest() != nil else { return }
      connection.send(text)
      connection.waitForEnd()
    } _: { client, origin, server in
      for _ in 0..<3 {
        let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        #expect(String(decoding: answer.body, as: UTF8.self) == "ok")
      }
      #expect(server.connectionCount == 3)
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test("A hundred requests at once get each its own answer, over a few connections")
  func manyAtOnce() async throws {
    var configuration = WebClientConfiguration()
    configuration.connectionsPerOrigin = 6
    try await withClient(configuration) { connection in
      while let request = connection.readRequest() {
        let name = request.components(after: "GET /").flatMap { $0.components(before: " ") } ?? ""
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\n\r\n\(name)")
      }
    } _: { client, origin, server in
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<100 {
          group.addTask {
            let answer = try await client.response(to: WebClientRequest(.get, origin, target: "/\(number)"))
            return String(decoding: answer.body, as: UTF8.self) == "\(number)"
          }
        }
        for try await isRight in group { #expect(isRight) }
      }
      #expect((1...6).contains(server.connectionCount))
    }
  }

  @Test("What cannot be sent is refused before anything is sent")
  func invalidRequests() async throws {
    try await withClient {
      $0.waitForEnd()
    } _: { client, origin, server in
      for target in ["", "a", "/a b", "/a\r\nX: y", "/é", "/a#b"] {
        let error = await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: target))
        }
        #expect(error?.code == .invalidRequest, "\(target)")
      }
      var fields = HTTPFields()
      fields.add("Host", "elsewhere.example")
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/", fields: fields))
      }
      #expect(error?.code == .invalidRequest)
      #expect(server.connectionCount == 0)
    }
  }

  @Test("Redirects are errors with their status")
  func redirects() async throws {
    try await withClient { connection in
      while connection.readRequest() != nil {
        connection.send("HTTP/1.1 307 X\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n")
      }
    } _: { client, origin, _ in
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      #expect(error?.code == .redirected)
      #expect(error?.status == 307)
      #expect(error?.reason.contains("http://elsewhere.example/") == true)
    }
  }
}

extension ClientTestConnection {
  struct Head {
    let contentLength: Int?
  }

  /// Reads a head byte by byte, and leaves the body.
  func readHeadOnly() -> Head? {
    var bytes: [UInt8] = []
    while !bytes.suffix(4).elementsEqual(Array("\r\n\r\n".utf8)) {
      guard let byte = read(1) else { return nil }
      bytes += byte
    }
    let text = String(decoding: bytes, as: UTF8.self).lowercased()
    return Head(contentLength: text.components(after: "content-length: ").flatMap { Int($0.prefix { $0.isNumber }) })
  }
}
