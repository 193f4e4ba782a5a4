import RegistryConnection
import Testing

@Suite("Addresses of registrars")
struct RegistrarAddressTests {
  @Test(
    "What is taken, and how it is written",
    arguments: [
      ("https://keys.example", "https://keys.example"), ("https://keys.example/", "https://keys.example"),
      ("HTTPS://Keys.Example:8443/a/b/", "https://keys.example:8443/a/b"),
      ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
      ("http://127.3.2.1/", "http://127.3.2.1"), ("http://localhost:8787", "http://localhost:8787"),
      ("http://[::1]:8787/x", "http://[::1]:8787/x"), ("https://10.0.0.7", "https://10.0.0.7"),
    ])
  func taken(text: String, written: String) throws {
    #expect(try RegistrarAddress(text).description == written)
  }

  @Test(
    "What is not",
    arguments: [
      "", "keys.example", "ftp://keys.example", "wss://keys.example", "https://", "https://a b",
      "https://user@keys.example",
      "https://keys.example?x", "https://keys.example/?", "https://keys.example/#a", "https://keys.example//",
      "https://keys.example/a//b", "https://keys.example/../a", "https://keys.example/a/..", "https://keys.example/./a",
      "http://keys.example", "http://10.0.0.7:8787", "http://localhost.evil.example", "http://[::2]",
      "http://128.0.0.1",
    ])
  func refused(text: String) {
    #expect(throws: RegistrarAddress.Fault.self) { try RegistrarAddress(text) }
  }

  @Test("Plain http beyond this machine needs a word")
  func plaintext() throws {
    #expect(
      try RegistrarAddress("http://10.0.0.7:8787/p", isPlaintextAllowed: true).description == "http://10.0.0.7:8787/p")
    #expect(throws: RegistrarAddress.Fault.self) { try RegistrarAddress("http://a b", isPlaintextAllowed: true) }
  }

  @Test("The source URL of a record is https, and not long")
  func sourceURLs() throws {
    #expect(try RegistrarAddress(sourceURL: "https://keys.example/r").description == "https://keys.example/r")
    let long = "https://keys.example/" + String(repeating: "a", count: 491)
    #expect(long.utf8.count == 512)
    #expect(throws: Never.self) { try RegistrarAddress(sourceURL: long) }
    for text in ["http://127.0.0.1:8787", "HTTPS://keys.example", long + "a", "https://keys.example/?a", ""] {
      #expect(throws: RegistrarAddress.Fault.self) { try RegistrarAddress(sourceURL: text) }
    }
  }
}
