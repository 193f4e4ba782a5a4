import HTTPFormat
import Registry
import RegistryAPI

extension RegistryHandler {
  /// `POST …/resolve`.
  func resolve(_ body: [UInt8], in app: RegistryApp) async throws -> HTTPResponse {
    let request = try ResolveRequest.read(body).get()
    let text = try await app.read(request.ids) { ResolutionText(request, asOf: $0) }
    return HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: text.finish())
  }
}
