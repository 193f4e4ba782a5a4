import ArgumentParser
import KeyRecords
import Keystore
import PeerstackFormat

/// `peerkey sign`
struct Sign: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sign peerstack objects: one JSON object, or one a line, on standard input.",
    discussion: """
      Prints each with signer and signature, one a line, by the key in force in the app as far as the keystore knows; \
      no registrar is asked. Objects that decide about keys are refused, and nothing is printed then. With --text the \
      input is a text, and the answer peerstack's signed message.

      \(Peerkey.exitCodes)
      """)

  @OptionGroup var common: CommonOptions
  @Flag(help: "The input is one text, not JSON.") var text = false

  private static let maxBytes = 256 << 20

  func run() async throws {
    do {
      try Console.answer(try signed())
    } catch {
      throw try CommandFailure.ending(error, asJSON: common.json)
    }
  }

  private func signed() throws -> [UInt8] {
    let sealed = try common.store.file.read()
    let app = try common.app(of: sealed)
    let input = try TextFile.read("-", limit: Self.maxBytes)
    let objects = try text ? [] : Self.objects(input)
    let keystore = try common.store.unlock(app: app)
    do throws(SigningError) {
      if text { return Array(try keystore.sign(JSONString(String(decoding: input, as: UTF8.self)), app: app).utf8) }
      var lines: [[UInt8]] = []
      for object in objects { lines.append(JSONValue.object(try keystore.sign(object, app: app)).text) }
      return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    } catch {
      throw CommandFailure("cannot sign: \(error)", code: "not-signed")
    }
  }

  private static func objects(_ input: [UInt8]) throws -> [JSONObject] {
    if let whole = (try? JSONValue.parseLenient(input))?.object { return [whole] }
    return try input.split(separator: UInt8(ascii: "\n")).enumerated().map { line, text in
      guard let object = (try? JSONValue.parseLenient(Array(text)))?.object else {
        throw CommandFailure("cannot sign: line \(line + 1) is no JSON object", code: "malformed")
      }
      return object
    }
  }
}
