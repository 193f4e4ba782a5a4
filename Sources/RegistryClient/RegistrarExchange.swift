import KeyRecords
import PeerstackFormat
import RegistryAPI

/// Why a registrar's word is not to be had.
enum SourceFailure: Error {
  case transport(TransportFailure)
  /// It answered with a problem; status and code.
  case refused(Int, String)
  /// What it answered is not what was asked for.
  case badAnswer(String)
  case conflict(Conflict)
  /// The policies that were pinned cannot be read.
  case storeFailed
  case cancelled
}

extension SourceFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .transport(.unreachable(let reason)): "the registrar cannot be reached: \(reason)"
    case .transport(.timedOut): "the registrar did not answer in time"
    case .transport(.tooLarge): "the registrar's answer is larger than allowed"
    case .transport(.malformed(let reason)): "the registrar does not speak HTTP: \(reason)"
    case .transport(.cancelled), .cancelled: "cancelled"
    case .refused(let status, let code): "the registrar refuses with \(status) \(code)"
    case .badAnswer(let reason): "the registrar's answer makes no sense: \(reason)"
    case .conflict(let conflict): conflict.reason
    case .storeFailed: "the stored policies cannot be read"
    }
  }
}

/// Asks one registrar, again where that may help, and no longer than allowed.
struct RegistrarExchange: Sendable {
  let registrar: Registrar
  let settings: ResolverSettings
  let clock: any ClientClock
  /// From 0 up to 1.
  let random: @Sendable () -> Double

  /// The answer with status 200 or 304.
  func answer(
    _ method: RegistryRequest.Method, _ target: String, body: [UInt8]? = nil,
    headers: [(name: String, value: String)] = [], maxBytes: Int
  ) async throws(SourceFailure) -> RegistryAnswer {
    var request = RegistryRequest(
      method, target, body: body, headers: headers, maxAnswerBytes: maxBytes, timeout: registrar.timeout)
    var attempt = 1
    while true {
      request.headers = headers
      // Signed anew each time: a nonce is good once.
      if let value = await registrar.authorization?(request) { request.headers.append(("Authorization", value)) }
      let failure: SourceFailure
      let wait: Duration?
      switch await timed(request) {
      case .success(let answer):
        if answer.status == 200 || answer.status == 304 { return answer }
        (failure, wait) = refusal(answer)
      case .failure(let reason): (failure, wait) = (.transport(reason), isWorthAnotherTry(reason) ? .zero : nil)
      }
      guard !Task.isCancelled else { throw .cancelled }
      guard let wait, attempt < settings.attempts, wait <= settings.longestPause else { throw failure }
      try await pause(max(wait, backoff(attempt)))
      attempt += 1
    }
  }

  private func pause(_ duration: Duration) async throws(SourceFailure) {
    do throws(CancellationError) {
      try await clock.sleep(for: duration)
    } catch {
      throw .cancelled
    }
  }

  /// Between half and all of a pause that doubles, so that clients that failed together do not come back together.
  func backoff(_ attempt: Int) -> Duration {
    let pause = settings.firstPause * (1 << min(attempt - 1, 16))
    return min(pause, settings.longestPause) * (0.5 + 0.5 * random())
  }

  private func isWorthAnotherTry(_ failure: TransportFailure) -> Bool {
    switch failure {
    case .unreachable, .timedOut: true
    case .tooLarge, .malformed, .cancelled: false
    }
  }

  /// The failure, and how long to wait before another try; nil if that is no use.
  private func refusal(_ answer: RegistryAnswer) -> (SourceFailure, Duration?) {
    let problem = try? JSONValue.parseStrict(answer.body)
    let code = problem?.object?["code"]?.string.flatMap(ProblemCode.init(rawValue:))?.rawValue ?? "without a known code"
    let failure = SourceFailure.refused(answer.status, code)
    guard answer.status == 429 || answer.status >= 500 else { return (failure, nil) }
    let seconds = answer.header("Retry-After").flatMap { Int64($0) } ?? 0
    return (failure, .seconds(min(max(seconds, 0), 86_400)))
  }

  /// Cuts the exchange off by our own clock, in case the transport does not.
  private func timed(_ request: RegistryRequest) async -> Result<RegistryAnswer, TransportFailure> {
    await withTaskGroup(of: Result<RegistryAnswer, TransportFailure>?.self) { group in
      group.addTask {
        do throws(TransportFailure) {
          return .success(try await registrar.transport.answer(to: request))
        } catch {
          return .failure(error)
        }
      }
      group.addTask {
        guard (try? await clock.sleep(for: request.timeout)) != nil else { return nil }
        return .failure(.timedOut)
      }
      defer { group.cancelAll() }
      while let result = await group.next() {
        if let result { return result }
      }
      return .failure(.cancelled)
    }
  }
}
