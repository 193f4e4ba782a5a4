import ArgumentParser
import Glibc
import RegistryServer
import WebTransport

/// Where the server listens, and what it takes from whom.
struct NetworkOptions: ParsableArguments {
  @Option(
    name: .customLong("listen"),
    help: ArgumentHelp(
      "Where to listen; port 0 picks one. [env: REGISTRAR_LISTEN; default: 127.0.0.1:8787]", valueName: "host:port"))
  var listenFlag: String?

  @Option(
    name: .customLong("public-url"),
    help: ArgumentHelp(
      "Where clients find the registrar. [env: REGISTRAR_PUBLIC_URL; default: the address it listens on]",
      valueName: "url"))
  var publicURLFlag: String?

  @Option(
    name: .customLong("trusted-proxy"),
    help: ArgumentHelp(
      """
      A proxy (address or CIDR) whose X-Forwarded-For is believed; may be repeated. \
      [env: REGISTRAR_TRUSTED_PROXIES, separated by commas; default: none]
      """, valueName: "address"))
  var proxyFlags: [String] = []

  @Option(
    name: .customLong("claims-per-address"),
    help: ArgumentHelp(
      "Claims an address may make in an hour; 0: no limit. [env: REGISTRAR_CLAIMS_PER_ADDRESS; default: 0]",
      valueName: "n"))
  var claimsFlag: Int?

  @Option(
    name: .customLong("max-connections"),
    help: ArgumentHelp("Connections in all. [env: REGISTRAR_MAX_CONNECTIONS; default: 20000]", valueName: "n"))
  var connectionsFlag: Int?

  @Option(
    name: .customLong("max-connections-per-address"),
    help: ArgumentHelp(
      "Connections of one address; not with --trusted-proxy. [env: REGISTRAR_MAX_CONNECTIONS_PER_ADDRESS; default: 2000]",
      valueName: "n"))
  var addressConnectionsFlag: Int?

  @Option(
    name: .customLong("loops"),
    help: ArgumentHelp(
      "Threads that answer HTTP. [env: REGISTRAR_LOOPS; default: one per core]", valueName: "n"))
  var loopsFlag: Int?

  func web() throws -> WebConfiguration {
    let text = Settings.text(listenFlag, "REGISTRAR_LISTEN") ?? "127.0.0.1:8787"
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
      colon > text.startIndex
    else { throw ValidationError("cannot listen on \"\(text)\": write host:port, as 127.0.0.1:8787 or [::1]:8787") }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    var web = WebConfiguration(host: String(host), port: port)
    web.connections = try Settings.integer(
      connectionsFlag, "REGISTRAR_MAX_CONNECTIONS", default: web.connections, in: 1...1_000_000)
    web.connectionsPerAddress = try Settings.integer(
      addressConnectionsFlag, "REGISTRAR_MAX_CONNECTIONS_PER_ADDRESS", default: web.connectionsPerAddress,
      in: 1...1_000_000)
    return web
  }

  func apply(to configuration: inout RegistryServerConfiguration) throws {
    configuration.claimsPerAddress = try Settings.integer(
      claimsFlag, "REGISTRAR_CLAIMS_PER_ADDRESS", default: 0, in: 0...1_000_000)
    configuration.loops = try Settings.integer(
      loopsFlag, "REGISTRAR_LOOPS", default: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), in: 1...256)
    if let text = Settings.text(publicURLFlag, "REGISTRAR_PUBLIC_URL") {
      guard let url = PublicURL(text) else {
        throw ValidationError("\"\(text)\" is no public URL: write https://HOST, with a path if need be, and no query")
      }
      configuration.publicURL = url
    }
    configuration.trustedProxies = try Settings.list(proxyFlags, "REGISTRAR_TRUSTED_PROXIES").map { text in
      guard let range = AddressRange(text) else {
        throw ValidationError("\"\(text)\" is no address of a proxy: write 10.0.0.1 or 10.0.0.0/8")
      }
      return range
    }
  }
}
