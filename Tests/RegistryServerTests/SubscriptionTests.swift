import KeyRecords
import Testing

@testable import RegistryServer

@Suite("Subscriptions") struct SubscriptionTests {
  private let ids = (0..<50).compactMap { UserID("00mmkyz9poxfflry75hh1" + String(1000 + $0)) }

  private func message(_ ids: [UserID]) -> [UInt8] {
    Array("{\"subscribe\":[\(ids.map { "\"\($0)\"" }.joined(separator: ","))]}".utf8)
  }

  @Test("the users named, and nobody else")
  func wanted() throws {
    #expect(ids.count == 50)
    let subscription = try #require(Subscription(message(Array(ids[..<25]))))
    for id in ids[..<25] { #expect(subscription.wants(id)) }
    for id in ids[25...] { #expect(!subscription.wants(id)) }
    #expect(!subscription.wants(nil))
  }

  @Test("an empty list wants nothing")
  func nothing() throws {
    let subscription = try #require(Subscription(message([])))
    #expect(!subscription.wants(ids[0]))
    #expect(!subscription.wants(nil))
  }

  @Test(
    "anything else is none",
    arguments: [
      "", "{}", "[]", "null", "subscribe", "{\"subscribe\":null}", "{\"subscribe\":\"00mmkyz9poxfflry75hh11000\"}",
      "{\"subscribe\":[1]}", "{\"subscribe\":[\"nobody\"]}", "{\"subscribe\":[],\"after\":1}",
      "{\"subscribe\":[],\"subscribe\":[]}", "{\"Subscribe\":[]}", "{\"subscribe\":[]} x", "\u{FEFF}{\"subscribe\":[]}",
    ])
  func refused(text: String) {
    #expect(Subscription(Array(text.utf8)) == nil)
  }
}
