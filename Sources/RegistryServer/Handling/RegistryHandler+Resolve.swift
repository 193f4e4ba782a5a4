import HTTPFormat
import Registry
import RegistryAPI

extension RegistryHandler {
  /// `POST …/resolve`.
  func resolve(_ body: [UInt8], in app: RegistryApp) async throws -> HTTPResponse {
    let request = try ResolveRequest.read(body).get()
    let found = try await app.users(request.ids)
    return HTTPResponse(status: 200, fields: AnswerFields.freshJSON, body: Resolution(request, found).text)
  }
}
