import CWebSockets
import Glibc
import Testing

@testable import WebTransport

@Suite("Peer address")
struct PeerAddressTests {
  private func address(ipv6 text: String) -> PeerAddress {
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    #expect(inet_pton(AF_INET6, text, &address.sin6_addr) == 1)
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) { storage in
      withUnsafeBytes(of: address) { storage.copyMemory(from: $0) }
    }
    return PeerAddress(storage)
  }

  @Test("IPv4 in IPv6 is IPv4")
  func mapped() {
    let address = address(ipv6: "::ffff:192.0.2.7")
    #expect(address.text == "192.0.2.7")
    #expect(address.client != self.address(ipv6: "::ffff:192.0.2.8").client)
  }

  @Test("IPv6 is counted by networks of 64 bits")
  func network() {
    let one = address(ipv6: "2001:db8:0:1::5")
    #expect(one.text == "2001:db8:0:1::5")
    #expect(one.client == address(ipv6: "2001:db8:0:1:ffff::").client)
    #expect(one.client != address(ipv6: "2001:db8:0:2::5").client)
  }
}
