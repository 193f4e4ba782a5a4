import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// `hummingbird-peer PORT ANSWER`: the registrar's route for a key on Hummingbird, as its documentation has it. Every
/// user has the same answer, as at the other peer, nginx: the fields and the body of a file, an empty line between them.
@main
struct Peer {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let port = Int(arguments[1]) else { throw Trouble(text: "usage: peer PORT ANSWER") }
    let (fields, body) = try answer(arguments[2])
    let router = Router()
    router.get("/apps/:app/keys/:user") { _, context in
      guard let user = context.parameters.get("user"), user.utf8.count == 25 else { return Response(status: .notFound) }
      return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: body))
    }
    var logger = Logger(label: "peer")
    logger.logLevel = .error
    let application = Application(
      router: router, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: port)),
      logger: logger)
    try await application.runService()
  }

  private static func answer(_ path: String) throws -> (fields: HTTPFields, body: ByteBuffer) {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    guard let end = text.range(of: "\n\n") else { throw Trouble(text: "\(path) has no empty line") }
    var fields = HTTPFields()
    for line in text[..<end.lowerBound].split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, let name = HTTPField.Name(String(parts[0])) else {
        throw Trouble(text: "no field: \(line)")
      }
      fields.append(HTTPField(name: name, value: String(parts[1].drop { $0 == " " })))
    }
    return (fields, ByteBuffer(string: String(text[end.upperBound...])))
  }
}

struct Trouble: Error {
  let text: String
}
