import Foundation
import HTTPFormat
import Synchronization
import Testing

@testable import WebTransport

/// Certificates made for one run: an authority, and what it has and has not issued.
struct TestCertificates: Sendable {
  let folder: String
  var authorities: TLSTrust { .authorities(path: folder + "/ca.pem") }

  private static let folder = NSTemporaryDirectory() + "client-tls-\(getpid())"
  private static let made = Result { try TestCertificates() }

  /// The same for all tests of the run.
  static func shared() throws -> TestCertificates { try made.get() }

  private static let script = """
    set -e
    cd "$1"
    key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl req -x509 $key -keyout ca.key -out ca.pem -days 30 -subj "/CN=Test CA"
    issue() {
      openssl req $key -keyout $1.key -out $1.csr -subj "/CN=localhost"
      echo "subjectAltName=$2" > $1.ext
      openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem -days $3 -extfile $1.ext
    }
    issue good "DNS:localhost,IP:127.0.0.1" 30
    issue nameonly "DNS:localhost" 30
    issue elsewhere "DNS:elsewhere.example,DNS:*.localhost,IP:127.0.0.2" 30
    issue expired "DNS:localhost,IP:127.0.0.1" -1
    openssl req -x509 $key -keyout selfsigned.key -out selfsigned.pem -days 30 -subj "/CN=localhost" \\
      -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
    """

  private init() throws {
    folder = TestCertificates.folder
    atexit { try? FileManager.default.removeItem(atPath: TestCertificates.folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", TestCertificates.script, "sh", folder]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw TransportError("make certificates") }
  }
}

@Suite("Client TLS")
struct ClientTLSTests {
  private func configuration(_ trust: TLSTrust) -> WebClientConfiguration {
    var configuration = WebClientConfiguration()
    configuration.trust = trust
    return configuration
  }

  @Test("Requests over TLS, by name and by address, on one connection each; the name is asked for")
  func requests() async throws {
    let certificates = try TestCertificates.shared()
    let names = Mutex<[String?]>([])
    let tls = try ClientTestTLS(certificates.folder, "good")
    try await withClient(configuration(certificates.authorities), tls: tls) { connection in
      names.withLock { $0.append(connection.serverName) }
      while let request = connection.readRequest() {
        let body = String(repeating: "x", count: 100_000)
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count + request.utf8.count)\r\n\r\n\(body)")
        connection.send(request)
      }
    } _: { client, origin, server in
      for host in ["127.0.0.1", "localhost"] {
        let origin = try #require(WebOrigin(isSecure: true, host: host, port: origin.port))
        for count in [1, 10, 300_000] {
          let body = [UInt8](repeating: 0x61, count: count)
          let answer = try await client.response(to: WebClientRequest(.post, origin, target: "/", body: body))
          #expect(answer.body.count > 100_000 + count)
          #expect(answer.body.suffix(count).elementsEqual(body))
        }
      }
      #expect(server.connectionCount == 2)
      #expect(names.withLock { $0 } == [nil, "localhost"])
    }
  }

  @Test(
    "Certificates that are not trusted, not for this host, or not valid now are refused",
    arguments: [
      ("good", "elsewhere.localhost", false), ("elsewhere", "localhost", true), ("elsewhere", "127.0.0.1", true),
      ("nameonly", "127.0.0.1", true), ("expired", "localhost", true), ("selfsigned", "localhost", true),
      ("good", "localhost", false),
    ])
  func refusedCertificates(name: String, host: String, isTrusting: Bool) async throws {
    let certificates = try TestCertificates.shared()
    let requests = Mutex(0)
    let trust = isTrusting ? certificates.authorities : .system
    try await withClient(configuration(trust), tls: ClientTestTLS(certificates.folder, name)) { connection in
      if connection.readRequest() != nil { requests.withLock { $0 += 1 } }
      connection.send(okay)
    } _: { client, origin, _ in
      let origin = try #require(WebOrigin(isSecure: true, host: host, port: origin.port))
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      // Where the resolver knows no names below localhost, the look-up fails first.
      #expect(error?.code == .tls || (host == "elsewhere.localhost" && error?.code == .lookup))
      #expect(error?.reason.contains("certificate") == true || error?.code == .lookup, "\(String(describing: error))")
      #expect(requests.withLock { $0 } == 0)
    }
  }

  @Test("A body without a length is whole only if TLS says so: a cut connection is an error")
  func truncation() async throws {
    let certificates = try TestCertificates.shared()
    for isOrderly in [true, false] {
      let tls = try ClientTestTLS(certificates.folder, "good")
      try await withClient(configuration(certificates.authorities), tls: tls) { connection in
        _ = connection.readRequest()
        connection.send("HTTP/1.1 200 OK\r\n\r\nhello")
        if isOrderly { connection.sayGoodbye() }
      } _: { client, origin, _ in
        let error = await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
        #expect(error?.code == (isOrderly ? nil : .connectionLost), "\(String(describing: error))")
      }
    }
  }

  @Test("A server that speaks no TLS, or hangs up or stays silent in the handshake")
  func brokenHandshakes() async throws {
    let certificates = try TestCertificates.shared()
    var configuration = configuration(certificates.authorities)
    let cases: [(String?, WebClientError.Code)] = [(okay, .tls), ("", .connect), (nil, .timedOut)]
    for (text, code) in cases {
      configuration.connectTimeout = text == nil ? .milliseconds(300) : .seconds(30)
      try await withClient(configuration) { connection in
        _ = connection.read(10)
        guard let text else { return connection.waitForEnd() }
        connection.send(text)
      } _: { client, origin, server in
        let origin = try #require(WebOrigin(isSecure: true, host: "localhost", port: origin.port))
        let error = await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
        #expect(error?.code == code, "\(String(describing: error))")
        #expect(await eventually { server.openCount == 0 })
      }
    }
  }

  @Test("Cancelling during the handshake frees the connection")
  func cancelledHandshake() async throws {
    try await withClient {
      $0.waitForEnd()
    } _: { client, origin, server in
      let origin = try #require(WebOrigin(isSecure: true, host: "localhost", port: origin.port))
      let task = Task {
        await failure { () throws(WebClientError) in
          try await client.response(to: WebClientRequest(.get, origin, target: "/"))
        }
      }
      #expect(await eventually { server.openCount == 1 })
      task.cancel()
      #expect(await task.value?.code == .cancelled)
      #expect(await eventually { server.openCount == 0 })
    }
  }

  @Test("A file of trusted certificates that cannot be read is an error, not trust in the system's")
  func missingAuthorities() async throws {
    try await withClient(configuration(.authorities(path: "/nowhere.pem"))) {
      $0.waitForEnd()
    } _: { client, origin, _ in
      let origin = try #require(WebOrigin(isSecure: true, host: "localhost", port: origin.port))
      let error = await failure { () throws(WebClientError) in
        try await client.response(to: WebClientRequest(.get, origin, target: "/"))
      }
      #expect(error?.code == .tls)
    }
  }
}
