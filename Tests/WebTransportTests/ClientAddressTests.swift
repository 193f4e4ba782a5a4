import Testing

@testable import WebTransport

@Suite("Client addresses")
struct ClientAddressTests {
  @Test(
    "Where addresses belong",
    arguments: [
      ("1.1.1.1", .global), ("8.8.8.8", .global), ("172.15.255.255", .global), ("172.32.0.0", .global),
      ("100.63.255.255", .global), ("100.128.0.0", .global), ("192.167.255.255", .global), ("223.255.255.255", .global),
      ("127.0.0.1", .loopback), ("127.255.255.255", .loopback), ("10.0.0.0", .privateNetwork),
      ("10.255.255.255", .privateNetwork), ("172.16.0.0", .privateNetwork), ("172.31.255.255", .privateNetwork),
      ("192.168.0.1", .privateNetwork), ("100.64.0.0", .privateNetwork), ("100.127.255.255", .privateNetwork),
      ("169.254.169.254", .linkLocal), ("224.0.0.1", .multicast), ("239.255.255.255", .multicast),
      ("0.0.0.0", .reserved), ("0.1.2.3", .reserved), ("192.0.0.8", .reserved), ("192.0.2.1", .reserved),
      ("192.88.99.1", .reserved), ("198.18.0.1", .reserved), ("198.19.255.255", .reserved),
      ("198.51.100.1", .reserved), ("203.0.113.1", .reserved), ("240.0.0.1", .reserved), ("255.255.255.255", .reserved),
      ("2606:4700::1111", .global), ("2001:4860:4860::8888", .global), ("2a00::1", .global), ("3ffe::1", .global),
      ("::1", .loopback), ("::", .reserved), ("::2", .reserved), ("::127.0.0.1", .reserved),
      ("::ffff:127.0.0.1", .loopback), ("::ffff:10.1.2.3", .privateNetwork), ("::ffff:1.1.1.1", .global),
      ("64:ff9b::10.0.0.1", .privateNetwork), ("64:ff9b::1.1.1.1", .global), ("64:ff9b:1::1", .reserved),
      ("2002:7f00:1::1", .loopback), ("2002:0101:0101::1", .reserved), ("2001::1", .reserved),
      ("2001:db8::1", .reserved),
      ("2001:1ff::1", .reserved), ("2001:200::1", .global), ("3fff::1", .reserved), ("100::1", .reserved),
      ("fc00::1", .privateNetwork), ("fdff::1", .privateNetwork), ("fec0::1", .privateNetwork), ("fe80::1", .linkLocal),
      ("febf::1", .linkLocal), ("ff02::1", .multicast), ("5f00::1", .reserved), ("4000::1", .reserved),
    ] as [(String, AddressScope)])
  func scopes(text: String, scope: AddressScope) throws {
    let address = try #require(SocketAddress(numeric: text, port: 443))
    #expect(address.scope == scope)
    #expect(AddressPolicy.any.allows(address))
    #expect(AddressPolicy.globalOnly.allows(address) == (scope == .global))
  }

  @Test(
    "URLs that are read",
    arguments: [
      ("http://a", "http://a", "/"), ("HTTPS://Example.COM/X", "https://example.com", "/X"),
      ("https://a:443/", "https://a", "/"), ("http://a:443/", "http://a:443", "/"),
      ("ws://a:80?x=/", "http://a", "/?x=/"),
      ("wss://a.b/c?d=e", "https://a.b", "/c?d=e"), ("http://127.0.0.1:8787", "http://127.0.0.1:8787", "/"),
      ("http://[::1]:8787/p/", "http://[::1]:8787", "/p/"), ("https://[2001:db8::1]", "https://[2001:db8::1]", "/"),
      ("http://a/%20%zz", "http://a", "/%20%zz"), ("http://a:65535/", "http://a:65535", "/"),
      ("http://a_b/", "http://a_b", "/"), ("http://a//b", "http://a", "//b"),
    ])
  func urls(text: String, origin: String, target: String) throws {
    let url = try #require(WebURL(text))
    #expect(url.origin.description == origin)
    #expect(url.target == target)
  }

  @Test(
    "URLs that are not",
    arguments: [
      "", "a", "http:", "http://", "http:///a", "//a", "ftp://a", "http//a", " http://a", "http://a ", "http://a/ b",
      "http://a/\n", "http://a\r\n/", "http://user@a/", "http://a:b@c/", "http://a#b", "http://a/#", "http://a:0/",
      "http://a:65536/", "http://a:/", "http://a:-1/", "http://a:+1/", "http://a:8 0/", "http://a:80:80/",
      "http://[::1/",
      "http://::1/", "http://[::1]x/", "http://[]/", "http://[1.2.3.4]/", "http://[::1%25lo]/", "http://ä/",
      "http://a/ä",
      "http://a\\b/", "http://a%41/", "http://" + String(repeating: "a", count: 254),
      "http://a/" + String(repeating: "a", count: 2048), "javascript://a", "http://a,b/", "http://[:::]/",
    ])
  func noURLs(text: String) { #expect(WebURL(text) == nil) }
}
