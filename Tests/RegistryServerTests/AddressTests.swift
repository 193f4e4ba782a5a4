import HTTPFormat
import Testing

@testable import RegistryServer

@Suite("Client addresses") struct AddressTests {
  private func head(_ fields: [String]) throws -> RequestHead {
    var parser = RequestParser()
    let text = (["GET / HTTP/1.1", "Host: h"] + fields + ["", ""]).joined(separator: "\r\n")
    guard case .complete(let head, _) = parser.parse(Array(text.utf8).span) else {
      Issue.record("not a head: \(text)")
      throw CancellationError()
    }
    return head
  }

  private func client(_ forwarded: String?, peer: String, proxies: [String]) throws -> String {
    let addresses = ClientAddresses(proxies: proxies.compactMap { AddressRange($0) })
    #expect(addresses.proxies.count == proxies.count)
    let head = try head(forwarded.map { ["X-Forwarded-For: \($0)"] } ?? [])
    return addresses.client(of: head, peer: peer).description
  }

  @Test("the field counts only behind a named proxy")
  func onlyBehindProxies() throws {
    #expect(try client("1.2.3.4", peer: "9.9.9.9", proxies: []) == "9.9.9.9")
    #expect(try client("1.2.3.4", peer: "9.9.9.9", proxies: ["10.0.0.1"]) == "9.9.9.9")
    #expect(try client("1.2.3.4", peer: "10.0.0.1", proxies: ["10.0.0.1"]) == "1.2.3.4")
    #expect(try client(nil, peer: "10.0.0.1", proxies: ["10.0.0.1"]) == "10.0.0.1")
  }

  @Test("the rightmost that is no named proxy")
  func rightmost() throws {
    #expect(try client("6.6.6.6, 1.2.3.4, 10.0.0.2", peer: "10.0.0.1", proxies: ["10.0.0.0/8"]) == "1.2.3.4")
    #expect(try client("6.6.6.6,1.2.3.4", peer: "10.0.0.1", proxies: ["10.0.0.1"]) == "1.2.3.4")
    #expect(try client("10.0.0.3, 10.0.0.2", peer: "10.0.0.1", proxies: ["10.0.0.0/8"]) == "10.0.0.3")
  }

  @Test("behind what is no address nothing is believed")
  func junk() throws {
    #expect(try client("1.2.3.4, unknown", peer: "10.0.0.1", proxies: ["10.0.0.1"]) == "10.0.0.1")
    #expect(try client("1.2.3.4, , 10.0.0.2", peer: "10.0.0.1", proxies: ["10.0.0.0/8"]) == "10.0.0.2")
    #expect(try client("", peer: "10.0.0.1", proxies: ["10.0.0.1"]) == "10.0.0.1")
  }

  @Test("ports and IPv6")
  func spellings() throws {
    #expect(try client("1.2.3.4:5678", peer: "::1", proxies: ["::1"]) == "1.2.3.4")
    #expect(try client("[2001:DB8::1]:5678", peer: "::1", proxies: ["::1"]) == "2001:db8::1")
    #expect(try client("2001:db8::1", peer: "::1", proxies: ["::1"]) == "2001:db8::1")
    #expect(try client("::ffff:1.2.3.4", peer: "::1", proxies: ["::1"]) == "1.2.3.4")
    #expect(try client("1.1.1.1", peer: "nonsense", proxies: ["::1"]) == "::")
  }

  @Test("an IPv6 client is its network of 64 bits")
  func clients() throws {
    let first = try #require(IPAddress("2001:db8:1:2:3:4:5:6"))
    #expect(first.client == IPAddress("2001:db8:1:2:ffff::")?.client)
    #expect(first.client != IPAddress("2001:db8:1:3::")?.client)
    #expect(IPAddress("1.2.3.4")?.client != IPAddress("1.2.3.5")?.client)
  }

  @Test(
    "networks",
    arguments: [
      ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.128.0.0/9", "10.127.0.1", false),
      ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "::1", false), ("fd00::/8", "fdff::1", true),
      ("fd00::/8", "fe00::1", false), ("1.2.3.4", "1.2.3.4", true), ("1.2.3.4/32", "1.2.3.5", false),
    ])
  func networks(range: String, address: String, isInside: Bool) throws {
    #expect(try #require(AddressRange(range)).contains(try #require(IPAddress(address))) == isInside)
  }

  @Test(
    "what is no network",
    arguments: [
      "", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "proxy", "10.0.0", "::/129",
      "1::1/64",
    ])
  func notNetworks(text: String) {
    #expect(AddressRange(text) == nil)
  }
}

@Suite("Claims per address") struct ClaimLimiterTests {
  private let address = IPAddress("192.0.2.1") ?? .unspecified
  private let other = IPAddress("192.0.2.2") ?? .unspecified

  @Test("a sliding hour per address")
  func window() throws {
    let limiter = ClaimLimiter(limit: 2)
    _ = try limiter.place(for: address, at: .seconds(0)).get()
    _ = try limiter.place(for: address, at: .seconds(100)).get()
    #expect(limiter.wait(for: address, at: .seconds(200))?.seconds == 3_400)
    #expect(throws: ClaimLimiter.RetryAfter.self) { try limiter.place(for: address, at: .seconds(3_599)).get() }
    _ = try limiter.place(for: other, at: .seconds(200)).get()
    // At the end of the hour the first no longer counts, the second does.
    _ = try limiter.place(for: address, at: .seconds(3_600)).get()
    #expect(limiter.wait(for: address, at: .seconds(3_600))?.seconds == 100)
    #expect(limiter.wait(for: address, at: .seconds(3_700)) == nil)
  }

  @Test("a place that is given back is free")
  func givenBack() throws {
    let limiter = ClaimLimiter(limit: 1)
    let place = try limiter.place(for: address, at: .zero).get()
    #expect(limiter.wait(for: address, at: .zero) != nil)
    limiter.giveBack(place)
    limiter.giveBack(place)
    _ = try limiter.place(for: address, at: .zero).get()
    #expect(limiter.wait(for: address, at: .zero) != nil)
  }

  @Test("memory is bounded, and comes back when windows end")
  func bounded() throws {
    let limiter = ClaimLimiter(limit: 5, capacity: 2)
    _ = try limiter.place(for: address, at: .zero).get()
    _ = try limiter.place(for: other, at: .zero).get()
    let third = try #require(IPAddress("192.0.2.3"))
    #expect(throws: ClaimLimiter.RetryAfter.self) { try limiter.place(for: third, at: .seconds(60)).get() }
    _ = try limiter.place(for: third, at: .seconds(3_600)).get()
  }

  @Test("claims at the same moment cannot pass the limit together")
  func together() async {
    let limiter = ClaimLimiter(limit: 10)
    let taken = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<200 { group.addTask { (try? limiter.place(for: address, at: .zero).get()) != nil } }
      return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(taken == 10)
  }
}
