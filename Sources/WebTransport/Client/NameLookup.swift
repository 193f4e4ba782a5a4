import Glibc
import Synchronization

/// Looks names up, each on a thread of its own, because the system's look-up blocks for as long as it likes.
///
/// Belongs to the loop's thread. Requests for the same name share one look-up.
final class NameLookup {
  /// The addresses in the system's order of preference (RFC 6724), at least one.
  typealias Outcome = Result<[SocketAddress], WebClientError>

  /// Most look-ups at once, each a thread that may hang in the resolver.
  static let mostLookups = 32
  /// Most addresses of a name that are tried.
  static let mostAddresses = 8

  private struct Name: Hashable {
    let host: String
    let port: UInt16
  }

  private let loop: EventLoop
  private var waiting: [Name: [(Outcome) -> Void]] = [:]

  init(on loop: EventLoop) {
    self.loop = loop
  }

  /// Calls `done` later on the loop, or at once for an address.
  func addresses(of origin: WebOrigin, _ done: @escaping (Outcome) -> Void) {
    if let address = SocketAddress(numeric: origin.host, port: origin.port) {
      done(.success([address]))
      return
    }
    let name = Name(host: origin.host, port: origin.port)
    if waiting[name] != nil {
      waiting[name]?.append(done)
      return
    }
    guard waiting.count < NameLookup.mostLookups else {
      done(.failure(WebClientError(.lookup, "too many names are being looked up; try again later")))
      return
    }
    waiting[name] = [done]
    if !start(name) { finish(name, .failure(WebClientError(.lookup, "no thread for looking up \(origin.host)"))) }
  }

  private func start(_ name: Name) -> Bool {
    let delivery = LookupDelivery(loop, self)
    let errand = LookupErrand(host: name.host, port: name.port) { outcome in
      delivery.loop.execute { delivery.lookup?.finish(name, outcome) }
    }
    let argument = Unmanaged.passRetained(errand)
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    guard pthread_create(&thread, &attributes, lookupThread, argument.toOpaque()) == 0 else {
      argument.release()
      return false
    }
    return true
  }

  private func finish(_ name: Name, _ outcome: Outcome) {
    for done in waiting.removeValue(forKey: name) ?? [] { done(outcome) }
  }
}

/// The way back from a look-up's thread.
///
/// `@unchecked Sendable`: `lookup` is set before the thread begins, and read on the loop alone.
private final class LookupDelivery: @unchecked Sendable {
  let loop: EventLoop
  private(set) weak var lookup: NameLookup?

  init(_ loop: EventLoop, _ lookup: NameLookup) {
    self.loop = loop
    self.lookup = lookup
  }
}

/// What the thread of a look-up is told.
private final class LookupErrand: Sendable {
  private let host: String
  private let port: UInt16
  private let deliver: @Sendable (NameLookup.Outcome) -> Void

  init(host: String, port: UInt16, _ deliver: @escaping @Sendable (NameLookup.Outcome) -> Void) {
    self.host = host
    self.port = port
    self.deliver = deliver
  }

  func run() {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    var code = getaddrinfo(host, String(port), &hints, &list)
    if code != 0 {
      // A machine without any network has no configured address but loopback, and is still to find itself.
      hints.ai_flags = AI_NUMERICSERV
      code = getaddrinfo(host, String(port), &hints, &list)
    }
    guard code == 0 else {
      let reason = code == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(code))
      deliver(.failure(WebClientError(.lookup, "could not find the address of \(host): \(reason)")))
      return
    }
    defer { freeaddrinfo(list) }
    let found = LookupErrand.addresses(list)
    guard !found.isEmpty else {
      deliver(.failure(WebClientError(.lookup, "could not find the address of \(host): it has none")))
      return
    }
    deliver(.success(found))
  }

  private static func addresses(_ list: UnsafeMutablePointer<addrinfo>?) -> [SocketAddress] {
    var found: [SocketAddress] = []
    var next = list
    while let entry = next?.pointee, found.count < NameLookup.mostAddresses {
      if let pointer = entry.ai_addr, let address = SocketAddress(pointer, length: entry.ai_addrlen),
        !found.contains(address)
      {
        found.append(address)
      }
      next = entry.ai_next
    }
    return found
  }
}

private let lookupThread: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<LookupErrand>.fromOpaque(argument).takeRetainedValue().run() }
  return nil
}
