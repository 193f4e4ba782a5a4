public import RegistryClient
public import WebTransport

/// The connections of a process to its registrars: one event loop for all of them.
public final class RegistryNetwork: Sendable {
  /// How connections are made.
  public struct Options: Hashable, Sendable {
    /// Whose certificates are believed.
    public var trust = TLSTrust.system
    /// Longest time for looking up the name, TCP and TLS.
    public var connectTimeout = Duration.seconds(10)
    /// Most connections to one registrar.
    public var connectionsPerRegistrar = 8
    /// Whether registrars that records name (`sourceUrl`) may have private, loopback and other addresses that are not on
    /// the open Internet. Only for tests and closed networks: else strangers choose which machines inside are talked to.
    public var arePrivateHintsAllowed = false

    /// The defaults.
    public init() {}
  }

  /// Most connections to one registrar that a record names.
  static let connectionsPerHint = 2

  private let loop: EventLoop
  private let client: WebClient
  private let hintClient: WebClient

  /// Starts the loop's thread.
  public init(_ options: Options = Options()) throws {
    loop = try EventLoop.start(name: "registry")
    var configuration = WebClientConfiguration()
    configuration.trust = options.trust
    configuration.connectTimeout = options.connectTimeout
    configuration.connectionsPerOrigin = options.connectionsPerRegistrar
    client = WebClient(on: loop, configuration: configuration)
    configuration.connectionsPerOrigin = min(options.connectionsPerRegistrar, RegistryNetwork.connectionsPerHint)
    configuration.addresses = options.arePrivateHintsAllowed ? .any : .globalOnly
    hintClient = WebClient(on: loop, configuration: configuration)
  }

  /// A transport to a registrar that the user has chosen.
  public func transport(to address: RegistrarAddress) -> WebRegistryTransport {
    WebRegistryTransport(client, address)
  }

  /// A transport to a registrar that a record names: it connects to addresses on the open Internet alone, checked after
  /// the look-up, and shares no connection with the others.
  public func hintedTransport(to address: RegistrarAddress) -> WebRegistryTransport {
    WebRegistryTransport(hintClient, address)
  }

  /// Where the `sourceUrl` of a record leads, for `ResolverSettings.hints`: over ``hintedTransport(to:)``.
  public var hints: ResolverSettings.Hints {
    let client = hintClient
    return { sourceURL in
      guard let address = try? RegistrarAddress(sourceURL: sourceURL) else { return nil }
      return HintedRegistrar(
        name: address.description, host: address.origin.host, transport: WebRegistryTransport(client, address))
    }
  }

  /// Ends all requests and feeds, which fail as unreachable, and then the loop. To be called before the last reference
  /// goes: else its thread stays.
  public func stop() async {
    await client.close()
    await hintClient.close()
    let loop = loop
    // Detached, since a task that runs on the loop cannot wait for its end.
    await Task.detached { loop.stop() }.value
  }
}
