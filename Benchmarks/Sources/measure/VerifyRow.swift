import BatchVerifier
import CSodium
import Cryptography
import Glibc

/// `verify` of a batch of signed objects, as `peerkey verify --users` does it: read, parse, canonical form, hash, signer
/// look-up, signature, answer.
///
/// Only objects with a valid signature are in the batch: each costs exactly one whole verification, as each bare message
/// does. An object that is refused early would flatter us.
struct VerifyRow {
  private let signers: SignerFile
  private let batchPath: String
  private let objects: Int
  private let rounds: Int

  /// Arguments: the batch, the users, how often the batch is repeated, how many rounds, and a file to use.
  init(_ arguments: [String]) throws {
    signers = try SignerFile(try Files.read(argument(1, of: arguments)))
    var judge = SignerFileJudge(signers: signers)
    let valid = try Files.lines(argument(0, of: arguments)).filter { judge.verdict(on: $0.span).verdict == "valid" }
    let repeats = try number(2, of: arguments)
    rounds = try number(3, of: arguments)
    batchPath = try argument(4, of: arguments)
    objects = valid.count * repeats
    let batch = Array(valid.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
    try Files.write(Array(repeatElement(batch, count: repeats).joined()), to: batchPath)
  }

  /// One thread against `crypto_sign_verify_detached` of as many 64-byte messages: seconds for one of them.
  func againstBareVerification() async throws {
    let bare = try BareMessages(count: objects)
    _ = try await cost(threads: 1)
    for round in 0..<rounds {
      // Who begins changes, so that nobody has the warmer machine.
      let early = round % 2 == 0 ? try bare.cost() : nil
      let ours = try await cost(threads: 1)
      printPair(ours: ours, peer: try early ?? bare.cost())
    }
  }

  /// Two threads against one: seconds for an object.
  func againstOneThread() async throws {
    _ = try await cost(threads: 2)
    for round in 0..<rounds {
      let early = round % 2 == 0 ? try await cost(threads: 1) : nil
      let two = try await cost(threads: 2)
      let one = if let early { early } else { try await cost(threads: 1) }
      printPair(ours: two, peer: one)
    }
  }

  private func cost(threads: Int) async throws -> Cost {
    let (input, output) = (open(batchPath, O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY | O_CLOEXEC))
    guard input >= 0, output >= 0 else { throw Trouble("cannot open \(batchPath)") }
    defer {
      close(input)
      close(output)
    }
    let pipeline = BatchPipeline(
      input: Descriptor(input), output: Descriptor(output), threads: threads,
      maxLineBytes: SignerFileJudge.maxLineBytes)
    let signers = signers
    var lines = 0
    let cost = try await Cost { lines = try await pipeline.run { SignerFileJudge(signers: signers) } }
    guard lines == objects else { throw Trouble("\(lines) of \(objects) objects were judged") }
    return cost.each(of: objects)
  }
}

/// Messages of 64 bytes with their signatures by 61 keys, as many as the batch of the vectors has signers.
private struct BareMessages {
  private static let signers = 61
  private let keys: [[UInt8]]
  private let messages: [[UInt8]]
  private let signatures: [[UInt8]]

  init(count: Int) throws {
    let signers = (0..<Self.signers).map { _ in SigningKey.generate() }
    keys = signers.map(\.verifyingKey.bytes)
    messages = (0..<count).map { _ in Randomness.bytes(64) }
    signatures = messages.enumerated().map { signers[$0 % signers.count].signature(for: $1).bytes }
  }

  func cost() throws -> Cost {
    var valid = 0
    let cost = Cost {
      for index in messages.indices {
        let message = messages[index]
        let key = keys[index % keys.count]
        if crypto_sign_verify_detached(signatures[index], message, UInt64(message.count), key) == 0 { valid += 1 }
      }
    }
    guard valid == messages.count else { throw Trouble("\(valid) of \(messages.count) messages verify") }
    return cost.each(of: valid)
  }
}
