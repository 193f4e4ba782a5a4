import ArgumentParser
import Cryptography
import PeerstackFormat

struct KeygenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keygen", abstract: "Make an admin's key.",
    discussion: """
      Writes {"publicKey","secretKey"} in peerstack's base64 spelling to a new file that only its owner can read. The \
      key need not stay on the registrar's machine: whoever holds the admins' threshold owns the app's policy for good.
      """)

  @Argument(help: "The file to write. It must not exist.")
  var file: String

  func run() throws {
    let key = SigningKey.generate()
    try AdminKeyFile.write(key, to: file)
    TextFile.print(Array(Base64.encode(key.verifyingKey.bytes32).utf8))
  }
}
