import Glibc
import HTTPFormat
import Synchronization
import Testing

@testable import WebTransport

/// The failure of one GET from a server that follows `script`.
private func failureOfGet(
  _ configuration: WebClientConfiguration = WebClientConfiguration(),
  _ script: @escaping @Sendable (ClientTestConnection) -> Void
) async throws -> WebClientError? {
  try await withClient(configuration, script) { client, origin, _ in
    await failure { () throws(WebClientError) in
      try await client.response(to: WebClientRequest(.get, origin, target: "/"))
    }
  }
}

private func configuration(_ change: (inout WebClientConfiguration) -> Void) -> WebClientConfiguration {
  var configuration = WebClientConfiguration()
  change(&configuration)
  return configuration
}

@Suite("Client failures")
struct ClientFailureTests {
  @Test(
    "Answers that end too early",
    arguments: [
      "", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
    ])
  func truncated(text: String) async throws {
    for isReset in [false, true] {
      let error = try await failureOfGet { connection in
        _ = connection.readRequest()
        connection.send(text)
        if isReset { connection.resetAtEnd() }
      }
      #expect(error?.code == .connectionLost, "\(String(describing: error))")
    }
  }

  @Test(
    "Answers that are no HTTP",
    arguments: [
      "SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
      "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "HTTP/1.1 200 OK\r\nA\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "HTTP/1.1 101 X\r\nUpgrade: h2c\r\n\r\n",
      String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 9) + okay,
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
    ])
  func malformed(text: String) async throws {
    let error = try await failureOfGet { connection in
      _ = connection.readRequest()
      connection.send(text)
      connection.waitForEnd()
    }
    #expect(error?.code == .malformedAnswer, "\(String(describing: error))")
  }

  @Test("Answers without end are cut off at the limits")
  func endless() async throws {
    let limits = configuration { $0.response = ResponseLimits(headBytes: 1000, fieldCount: 10, bodyBytes: 100_000) }
    let beginnings = [
      ("HTTP/1.1 200 OK\r\n", "A: b\r\n"), ("HTTP/1.1 200 OK\r\nA: ", "bbbbbbb"), ("", "xxxxxxxxx"),
      ("HTTP/1.1 200 OK\r\n\r\n", String(repeating: "body", count: 1000)),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n"),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", "extension"),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "00000000000"),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"),
    ]
    for (beginning, more) in beginnings {
      let error = try await failureOfGet(limits) { connection in
        _ = connection.readRequest()
        connection.send(beginning)
        while connection.send(more) {}
      }
      #expect(error?.code == .tooLarge, "\(beginning): \(String(describing: error))")
    }
    for length in ["100001", "9007199254740992", "9999999999999999"] {
      let error = try await failureOfGet(limits) { connection in
        _ = connection.readRequest()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(length)\r\n\r\n")
        connection.waitForEnd()
      }
      #expect(error?.code == .tooLarge, "\(length): \(String(describing: error))")
    }
    let just = try await withClient(limits) { connection in
      _ = connection.readRequest()
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + String(repeating: "x", count: 100_000))
    } _: { client, origin, _ in
      try await client.response(to: WebClientRequest(.get, origin, target: "/")).body.count
    }
    #expect(just == 100_000)
  }

  @Test("A server that drips, or says nothing, runs into the deadline")
  func slow() async throws {
    let limits = configuration { $0.deadline = .milliseconds(300) }
    for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"] {
      let error = try await failureOfGet(limits) { connection in
        _ = connection.readRequest()
        connection.send(text)
        while !text.isEmpty, connection.send(text.hasSuffix("\r\n\r\n") ? "x" : "A: b\r\n") { usleep(20_000) }
        connection.waitForEnd()
      }
      #expect(error?.code == .timedOut, "\(String(describing: error))")
    }
  }

  @Test("Nobody listens; the reason names the address")
  func refused() async throws {
    let error = try await withClient { _ in
    } _: { client, origin, server in
      server.stop()
      #expect(await eventually { connectIsRefused(server.port) })
      return await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
    }
    #expect(error?.code == .connect)
    #expect(error?.reason.contains("127.0.0.1:") == true)
    #expect(error?.reason.contains("refused") == true)
  }

  @Test("A name that does not exist")
  func unknownName() async throws {
    try await withClient { _ in
    } _: { client, _, _ in
      let origin = try #require(WebOrigin(isSecure: false, host: "no-such-host.invalid", port: 80))
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      #expect(error?.code == .lookup, "\(String(describing: error))")
    }
  }

  @Test("A name with several addresses: the one that listens is found")
  func severalAddresses() async throws {
    // localhost is ::1 and 127.0.0.1; the server has the second alone.
    try await withClient { connection in
      while connection.readRequest() != nil { connection.send(okay) }
    } _: { client, origin, _ in
      let named = try #require(WebOrigin(isSecure: false, host: "localhost", port: origin.port))
      let answer = try await client.response(to: WebClientRequest(.get, named, target: "/"))
      #expect(answer.status == 200)
    }
  }

  @Test("Addresses that are not on the open Internet are refused after the look-up")
  func addressPolicy() async throws {
    let policy = configuration { $0.addresses = .globalOnly }
    try await withClient(policy) {
      $0.waitForEnd()
    } _: { client, origin, server in
      for host in ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"] {
        let origin = try #require(WebOrigin(isSecure: false, host: host, port: origin.port))
        let error = await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
        #expect(error?.code == .addressRefused, "\(host): \(String(describing: error))")
      }
      #expect(server.connectionCount == 0)
    }
  }

  @Test("A kept connection that the server has closed: what may be repeated is, once")
  func staleConnections() async throws {
    // Each connection answers one request, and resets at the next.
    try await withClient { connection in
      _ = connection.readRequest()
      connection.send(okay)
      _ = connection.readRequest()
      connection.resetAtEnd()
    } _: { client, origin, server in
      for _ in 0..<3 {
        try #expect(await client.response(to: WebClientRequest(.get, origin, target: "/")).status == 200)
      }
      #expect(server.connectionCount == 3)
      let repeatable = WebClientRequest(.post, origin, target: "/", isRepeatable: true)
      try #expect(await client.response(to: repeatable).status == 200)
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.post, origin, target: "/"))
      }
      #expect(error?.code == .connectionLost)
      #expect(server.connectionCount == 4)
    }
  }

  @Test("A request is repeated once only, and not after the answer has begun")
  func repeatsEnd() async throws {
    let requests = Mutex(0)
    try await withClient { connection in
      while connection.readRequest() != nil {
        let number = requests.withLock {
          $0 += 1; return $0
        }
        guard number == 1 || number == 4 else {
          if number == 5 { connection.send("HTTP/1.1 200") }
          return
        }
        connection.send(okay)
      }
    } _: { client, origin, server in
      let get = { () async -> WebClientError? in
        await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
      }
      #expect(await get() == nil)
      // 2 on the kept connection, 3 on a new one: both end without an answer.
      #expect(await get()?.code == .connectionLost)
      #expect(requests.withLock { $0 } == 3)
      #expect(await get() == nil)
      #expect(await get()?.code == .connectionLost)
      #expect(requests.withLock { $0 } == 5)
    }
  }

  @Test("A connection that the server closed while idle is not used for what must not be repeated")
  func idleClose() async throws {
    try await withClient { connection in
      _ = connection.readRequest()
      connection.send(okay)
    } _: { client, origin, server in
      for number in 1...5 {
        let answer = try await client.response(to: WebClientRequest(.post, origin, target: "/"))
        #expect(answer.status == 200)
        #expect(await eventually { server.openCount == 0 })
        #expect(server.connectionCount == number)
      }
    }
  }

  @Test("An early answer to a large request counts, though the server stops listening")
  func earlyAnswer() async throws {
    try await withClient { connection in
      _ = connection.readHeadOnly()
      connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
      _ = connection.read(1)
    } _: { client, origin, _ in
      let body = [UInt8](repeating: 0, count: 8_000_000)
      let answer = try await client.response(to: WebClientRequest(.post, origin, target: "/", body: body))
      #expect(answer.status == 413)
      #expect(answer.body == Array("no".utf8))
    }
  }

  @Test("Idle connections end after a while")
  func idleTimeout() async throws {
    try await withClient(configuration { $0.idleTimeout = .milliseconds(50) }) { connection in
      while connection.readRequest() != nil { connection.send(okay) }
    } _: { client, origin, server in
      _ = try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test("A closed client ends what runs, and takes nothing more")
  func closing() async throws {
    try await withClient {
      $0.waitForEnd()
    } _: { client, origin, server in
      async let running = failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      #expect(await eventually { server.openCount == 1 })
      await client.close()
      #expect(await running?.code == .closed)
      let later = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      #expect(later?.code == .closed)
      #expect(await eventually { server.openCount == 0 })
    }
  }
}

/// Whether nobody listens at a port.
private func connectIsRefused(_ port: UInt16) -> Bool {
  guard let address = SocketAddress(numeric: "127.0.0.1", port: port) else { return false }
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  return address.connect(descriptor) != 0
}

@Suite("Client cancellation")
struct ClientCancellationTests {
  @Test("Cancelling frees the connection in each phase of the answer", arguments: 0..<4)
  func inEachPhase(phase: Int) async throws {
    let beginnings = ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", "HTTP/1.1 200 OK\r\n\r\nx"]
    let hasRequest = Mutex(false)
    try await withClient { connection in
      _ = connection.readRequest()
      connection.send(beginnings[phase])
      hasRequest.withLock { $0 = true }
      connection.waitForEnd()
    } _: { client, origin, server in
      let task = Task {
        await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
      }
      #expect(await eventually { hasRequest.withLock { $0 } })
      #expect(server.openCount == 1)
      task.cancel()
      #expect(await task.value?.code == .cancelled)
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test("A request that waits for a connection leaves the queue, one that was cancelled before sends nothing")
  func whileWaiting() async throws {
    let gate = Mutex(false)
    var configuration = WebClientConfiguration()
    configuration.connectionsPerOrigin = 1
    let requests = Mutex<[String]>([])
    try await withClient(configuration) { connection in
      while let request = connection.readRequest() {
        requests.withLock { $0.append(request.components(before: " HTTP") ?? "") }
        while !gate.withLock({ $0 }) { usleep(1000) }
        connection.send(okay)
      }
    } _: { client, origin, server in
      let get = { (target: String) in
        Task {
          await failure { () throws(WebClientError) in
            try await client.response(to: WebClientRequest(.get, origin, target: target))
          }
        }
      }
      let first = get("/1")
      #expect(await eventually { requests.withLock { $0.count } == 1 })
      let second = get("/2")
      let third = get("/3")
      second.cancel()
      #expect(await second.value?.code == .cancelled)
      gate.withLock { $0 = true }
      #expect(await first.value == nil)
      #expect(await third.value == nil)
      #expect(requests.withLock { $0 } == ["GET /1", "GET /3"])
    }
  }

  @Test("Many requests that are cancelled at any time leave nothing behind")
  func manyCancellations() async throws {
    try await withClient { connection in
      while connection.readRequest() != nil { connection.send(okay) }
    } _: { client, origin, server in
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<400 {
          group.addTask {
            let task = Task {
              await failure { () throws(WebClientError) in
                try await client.response(to: WebClientRequest(.get, origin, target: "/"))
              }
            }
            if number % 2 == 0 {
              for _ in 0..<number % 7 { await Task.yield() }
              task.cancel()
            }
            let error = await task.value
            #expect(error == nil || (number % 2 == 0 && error?.code == .cancelled), "\(String(describing: error))")
          }
        }
      }
      try #expect(await client.response(to: WebClientRequest(.get, origin, target: "/")).status == 200)
      await client.close()
      #expect(await eventually { server.openCount == 0 })
    }
  }
}
