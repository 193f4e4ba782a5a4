import ArgumentParser
import BatchVerifier
import Cryptography
import PeerstackFormat

/// `peerkey hash`
struct Hash: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the peerstack hash of the JSON on standard input.",
    discussion: """
      The hash is the SHA-256, in hex, of the canonical JSON without the top-level signature: the text that peerstack \
      signs. Input that is no JSON, and null, which has no hash, are refused with exit code 1.
      """)

  func run() throws {
    let limit = JSONLimits.standardMaxBytes
    guard let text = try Descriptor.standardInput.readAll(limit: limit, step: "cannot read the JSON") else {
      throw CommandFailure("cannot hash: the text has more than \(limit) bytes")
    }
    var reader = SignedObjectReader()
    do {
      try reader.read(text)
    } catch {
      throw CommandFailure("cannot hash: no JSON: \(error)")
    }
    guard let hash = reader.hash else { throw CommandFailure("cannot hash: null has no hash") }
    try Descriptor.standardOutput.writeAll(Array((hash.hex + "\n").utf8), step: "cannot write the hash")
  }
}
