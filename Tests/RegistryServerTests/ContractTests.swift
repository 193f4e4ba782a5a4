import KeyRecords
import PeerstackFormat
import RegistryAPI
import Testing

@testable import RegistryServer

/// The HTTP interface as a table of requests and what must come back.
@Suite("HTTP contract") struct ContractTests {
  @Test("reads", arguments: ContractCase.reads)
  func reads(_ contract: ContractCase) async throws { try await contract.run(ContractWorld.shared.value) }

  @Test("apps and the registrar itself", arguments: ContractCase.appsAndOthers)
  func apps(_ contract: ContractCase) async throws { try await contract.run(ContractWorld.shared.value) }

  @Test("submissions and resolving", arguments: ContractCase.submissions)
  func submissions(_ contract: ContractCase) async throws { try await contract.run(ContractWorld.shared.value) }

  @Test("what is cacheable answers 304 to its own tag, and not to another")
  func notModified() async throws {
    let world = try await ContractWorld.shared.value
    let paths = [
      "/apps/\(world.app)/keys/\(world.active.id)", "/apps/\(world.app)/keys/\(world.active.id)/0",
      "/apps/\(world.app)/users/\(world.active.id)", "/apps/\(world.app)/users/\(world.active.id)?index=1",
      "/apps/\(world.app)/users/\(world.active.id)/history", "/apps/\(world.app)/export?limit=3",
      "/apps/\(world.app)/policies", "/apps/\(world.app)/peer-host-info", "/peer-host-info", "/openapi.json",
    ]
    for path in paths {
      let whole = try await world.server.get(path)
      let tag = try #require(whole.fields["etag"], "\(path)")
      #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""), "\(path): not strong: \(tag)")
      for value in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
        let again = try await world.server.get(path, ["If-None-Match: \(value)"])
        #expect(again.status == 304 && again.body.isEmpty, "\(path) \(value)")
        #expect(again.fields["etag"] == tag, "\(path)")
        #expect(again.fields["cache-control"] == whole.fields["cache-control"], "\(path)")
        #expect(again.fields["access-control-allow-origin"] == "*", "\(path)")
      }
      #expect(try await world.server.get(path, ["If-None-Match: \"x\""]).status == 200, "\(path)")
    }
  }

  @Test("every path answers preflights")
  func preflights() async throws {
    let world = try await ContractWorld.shared.value
    for endpoint in Endpoint.allCases {
      let path = Self.path(endpoint, world)
      let fields = ["Origin: https://app.example", "Access-Control-Request-Method: POST"]
      for fields in [fields, []] {
        let response = try await world.server.request("OPTIONS", path, fields)
        #expect(response.status == 204 && response.fields["content-length"] == nil, "\(path)")
        #expect(response.fields["access-control-allow-origin"] == "*", "\(path)")
        #expect(response.fields["access-control-allow-methods"] == endpoint.allow, "\(path)")
        #expect(response.fields["access-control-allow-headers"] == "Authorization, Content-Type, If-None-Match")
      }
    }
    // A browser may see the problem of a path that is not there; nobody else is told it is there.
    let asked = try await world.server.request("OPTIONS", "/apps/x/nothing", ["Access-Control-Request-Method: GET"])
    #expect(asked.status == 204)
    #expect(try await world.server.request("OPTIONS", "/apps/x/nothing").status == 404)
    #expect(try await world.server.request("OPTIONS", "*").status == 204)
  }

  static func path(_ endpoint: Endpoint, _ world: ContractWorld) -> String {
    endpoint.template.replacing("{app}", with: world.app.text).replacing("{user}", with: world.active.id.text)
      .replacing("{sequence}", with: "0")
  }

  @Test("the OpenAPI document names the paths, methods and codes that are served")
  func openAPI() async throws {
    let world = try await ContractWorld.shared.value
    let document = try #require(try await world.server.get("/openapi.json").json?.object)
    let paths = try #require(document["paths"]?.object)
    #expect(Set(paths.names.map(\.string)) == Set(Endpoint.allCases.map(\.template)))
    for endpoint in Endpoint.allCases {
      let operations = try #require(paths[endpoint.template]?.object)
      let documented = Set(operations.names.compactMap { $0.string?.uppercased() }).subtracting(["PARAMETERS"])
      var served: Set<String> = []
      for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let body: [UInt8]? = method == "POST" ? [] : nil
        let response = try await world.server.request(method, Self.path(endpoint, world), [], body)
        if response.status != 405 { served.insert(method) } else { #expect(response.fields["allow"] == endpoint.allow) }
      }
      #expect(documented == served, "\(endpoint.template)")
    }
  }

  @Test("every code that is answered is documented where it is, and every code of the protocol is reached")
  func documentedCodes() async throws {
    let world = try await ContractWorld.shared.value
    let document = try #require(try await world.server.get("/openapi.json").json?.object)
    let paths = try #require(document["paths"]?.object)
    var reached: Set<String> = []
    for contract in ContractCase.reads + ContractCase.appsAndOthers + ContractCase.submissions {
      guard let code = contract.code else { continue }
      reached.insert(code)
      guard let endpoint = Self.endpoint(of: try contract.path(world)) else { continue }
      let operation = paths[endpoint.template]?.object?[contract.method.lowercased()]?.object
      // A method that is not served is documented with those that are.
      guard let responses = (operation ?? paths[endpoint.template]?.object?["get"]?.object)?["responses"]?.object else {
        continue
      }
      let codes = responses[String(contract.status)]?.object?["x-problem-codes"]?.array ?? []
      #expect(codes.contains(.text(code)), "\(contract.method) \(endpoint.template) \(code)")
    }
    reached.formUnion(MalformedCase.all.map(\.code))
    // Reached in suites of their own.
    reached.formUnion(["unavailable"])
    #expect(reached == Set(ProblemCode.allCases.map(\.rawValue)))
    #expect(try Self.enumeratedCodes(document) == Set(ProblemCode.allCases.map(\.rawValue)))
  }

  private static func endpoint(of path: String) -> Endpoint? {
    (try? ReadingTests.head("GET \(path) HTTP/1.1")).flatMap { Destination($0).endpoint }
  }

  private static func enumeratedCodes(_ document: JSONObject) throws -> Set<String> {
    let schema = document["components"]?.object?["schemas"]?.object?["Problem"]?.object?["properties"]?.object?["code"]
    return Set(try #require(schema?.object?["enum"]?.array).compactMap(\.string))
  }

  @Test("references of the OpenAPI document lead somewhere")
  func references() throws {
    let document = try JSONValue.parseStrict(OpenAPIDocument.bytes, maxDepth: 64)
    var pending = [document]
    var count = 0
    while let value = pending.popLast() {
      pending += value.array ?? value.object?.members.map(\.1) ?? []
      guard let reference = value.object?["$ref"]?.string else { continue }
      count += 1
      var target: JSONValue? = document
      for part in reference.split(separator: "/").dropFirst() { target = target?.object?[String(part)] }
      #expect(reference.hasPrefix("#/") && target != nil, "\(reference)")
    }
    #expect(count > 50)
  }
}
