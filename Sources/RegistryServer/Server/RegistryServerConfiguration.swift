public import KeyRecords
public import Logging
public import Registry
public import WebTransport

/// What a ``RegistryHTTPServer`` is started with.
public struct RegistryServerConfiguration: Sendable {
  /// Where it listens, and the limits of connections.
  public var web: WebConfiguration
  /// The database, the memory index and the clocks.
  public var registry: RegistryConfiguration
  /// Where clients find it; nil: the address it is bound to.
  public var publicURL: PublicURL?
  /// Claims that an address may have accepted within an hour; 0: no limit.
  public var claimsPerAddress = 0
  /// The proxies whose `X-Forwarded-For` is believed. With any, the limit of connections per address is left to them.
  public var trustedProxies: [AddressRange] = []
  /// Where accepted entries that touch a user are delivered, by app (docs/webhooks.md).
  public var webhooks: [AppID: WebhookURL] = [:]
  /// Shorter in tests.
  var webhookTiming = WebhookTiming()
  /// Threads that answer HTTP, at least one. Two more carry WebSockets and commits.
  public var loops = 1
  /// Where requests (`debug`) and accepted records (`info`) are told; the registry has a logger of its own.
  public var logger: Logger

  /// The usual limits, on a free port.
  public init(web: WebConfiguration = WebConfiguration(), registry: RegistryConfiguration, logger: Logger) {
    self.web = web
    self.registry = registry
    self.logger = logger
  }
}
