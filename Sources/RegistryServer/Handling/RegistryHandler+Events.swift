import HTTPFormat
import KeyRecords
import Registry
import RegistryAPI
import WebTransport

extension RegistryHandler {
  /// `WS …/events`: the handshake.
  func events(of app: RegistryApp, for head: RequestHead) throws -> WebAnswer {
    let upgrade: WebSocketUpgrade
    do throws(WebSocketUpgrade.Refusal) {
      upgrade = try WebSocketUpgrade(head)
    } catch {
      return .response(refusedHandshake(error))
    }
    let after = try Parameters(head).integer("after")
    return .webSocket(upgrade, fields: AnswerFields.common, events.consumer(of: app, after: after))
  }

  private func refusedHandshake(_ refusal: WebSocketUpgrade.Refusal) -> HTTPResponse {
    let reason =
      switch refusal {
      case .notAnUpgrade: "this is a WebSocket: open it with Upgrade: websocket and Connection: upgrade"
      case .body: "the handshake of a WebSocket has no body"
      case .key: "Sec-WebSocket-Key is not base64 of 16 bytes, or not given once"
      case .version: "Sec-WebSocket-Version is not 13, or not given once"
      }
    metrics.refused(.malformed)
    var response = HTTPResponse.problem(Problem(.malformed, detail: reason))
    // RFC 6455 §4.4: the versions that are understood.
    response.fields.add("sec-websocket-version", WebSocketUpgrade.version)
    return response
  }
}
