import KeyRecords
import PeerstackFormat
import RegistryAPI
import RegistryClient
import RegistryConnection
import Synchronization

/// Why a registrar did not do what it was asked.
enum RegistrarTrouble: Sendable {
  case transport(TransportFailure)
  /// An answer other than success: a problem, or something that is none.
  case refused(status: Int, problem: JSONObject?)

  /// Nil for an answer that is a success.
  init?(_ answer: RegistryAnswer) {
    guard !(200...299).contains(answer.status), answer.status != 304 else { return nil }
    self = .refused(status: answer.status, problem: (try? JSONValue.parseStrict(answer.body))?.object)
  }

  /// The registrar's problem code, where it gave one that is known.
  var code: ProblemCode? {
    guard case .refused(_, let problem) = self else { return nil }
    return problem?["code"]?.string.flatMap(ProblemCode.init(rawValue:))
  }

  /// Whether the same request may be answered otherwise later.
  var isPassing: Bool {
    switch self {
    case .transport(.unreachable), .transport(.timedOut): true
    case .transport: false
    case .refused(let status, _): status >= 500
    }
  }

  /// Whether a registrar has understood the request, and will not do it.
  var isRefusal: Bool {
    guard case .refused(let status, _) = self, let code else { return false }
    return status < 500 && code != .rateLimited
  }

  /// The failure of a command.
  func failure(_ step: String, at address: RegistrarAddress) -> CommandFailure {
    switch self {
    case .transport(let failure):
      return CommandFailure(
        "\(step): \(address) \(Self.text(failure)): check the address and the network, then try again",
        code: "unreachable", status: .unreachable)
    case .refused(let status, let problem):
      guard let code, let problem else {
        return CommandFailure(
          "\(step): \(address) answered with status \(status), and not as a registrar does: check the address",
          code: "unreachable", status: .unreachable)
      }
      let detail = Self.printable(problem["detail"]?.string ?? code.detail)
      let facts = problem.omitting(["type", "title", "detail", "code"])
      return CommandFailure(
        "\(step): \(code.rawValue): \(detail)\(Self.words(facts))", code: code.rawValue, facts: facts,
        status: code == .unavailable ? .unreachable : .failed)
    }
  }

  private static func text(_ failure: TransportFailure) -> String {
    switch failure {
    case .unreachable(let reason): "cannot be reached (\(reason))"
    case .timedOut: "did not answer in time"
    case .tooLarge: "answered with more than is allowed"
    case .malformed(let reason): "does not speak as a registrar does (\(reason))"
    case .cancelled: "was not asked to the end"
    }
  }

  /// The facts that help a person, as they come.
  private static func words(_ facts: JSONObject) -> String {
    let words = facts.members.compactMap { name, value -> String? in
      guard let name = name.string, name != "status" else { return nil }
      return printable("\(name) \(String(decoding: CanonicalJSON.bytes(of: value), as: UTF8.self))")
    }
    return words.isEmpty ? "" : " (\(words.joined(separator: ", ")))"
  }

  /// What comes from a registrar must not steer a terminal.
  static func printable(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.prefix(500).map { $0.properties.isWhitespace ? " " : $0 }
          .filter { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }))
  }
}

/// A transport that remembers what went wrong last, for who is told only that something did.
final class WatchedTransport: RegistryTransport {
  private let inner: any RegistryTransport
  private let last = Mutex<RegistrarTrouble?>(nil)

  init(_ inner: any RegistryTransport) { self.inner = inner }

  /// What went wrong with the last request; nil if nothing did.
  var trouble: RegistrarTrouble? { last.withLock { $0 } }

  func answer(to request: RegistryRequest) async throws(TransportFailure) -> RegistryAnswer {
    do throws(TransportFailure) {
      let answer = try await inner.answer(to: request)
      last.withLock { $0 = RegistrarTrouble(answer) }
      return answer
    } catch {
      last.withLock { $0 = .transport(error) }
      throw error
    }
  }

  func events(target: String, maxFrameBytes: Int) async throws(TransportFailure) -> any RegistryFeed {
    try await inner.events(target: target, maxFrameBytes: maxFrameBytes)
  }
}
