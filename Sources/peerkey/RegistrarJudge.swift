import BatchVerifier
import KeyRecords
import PeerstackFormat
import RegistryClient

/// Judges objects by the histories of their signers, which are looked up at a registrar: all of a chunk in one go.
///
/// Where a users file is given too, it decides on signers whom the registrar does not know or cannot be asked about.
struct RegistrarJudge: ChunkJudge {
  private let verifier: ObjectVerifier
  private var file: SignerFileJudge?
  private let waiting: WaitingObjects?

  /// A judge for one thread.
  ///
  /// - Parameter waiting: Takes objects of signers who may still become known; nil to leave them.
  init(signers: any SignerResolving, file: SignerFile?, waiting: WaitingObjects? = nil) {
    verifier = ObjectVerifier(signers: signers)
    self.file = file.map { SignerFileJudge(signers: $0) }
    self.waiting = waiting
  }

  mutating func judge(_ chunk: LineChunk, appendingTo output: inout [UInt8]) {
    if chunk.isTooLarge {
      let reason = "the line has more than \(SignerFileJudge.maxLineBytes) bytes"
      VerdictLine(line: chunk.firstLine, id: nil, verdict: "invalid", reason: reason).append(to: &output)
      return
    }
    var objects: [UnverifiedObject] = []
    objects.reserveCapacity(chunk.lineCount)
    chunk.forEachLine { line, _ in objects.append(UnverifiedObject(line.withUnsafeBufferPointer { Array($0) })) }
    let judgments = waitFor { [verifier, objects] in try? await verifier.verify(objects) } ?? []
    let now = SystemClock().now()
    var unresolved: [QuarantinedObject] = []
    for (place, judgment) in judgments.enumerated() {
      var (verdict, reason) = (judgment.verdict.rawValue, judgment.reason)
      if judgment.verdict == .unresolved, file != nil {
        let text = objects[place].text
        (verdict, reason) = file?.verdict(on: text.span) ?? (verdict, reason)
      }
      if judgment.freshness == .stale { reason += "; the keys were not confirmed lately" }
      if waiting != nil, verdict == judgment.verdict.rawValue, let awaited = judgment.awaited {
        unresolved.append(QuarantinedObject(text: objects[place].text, signer: awaited, received: now))
      }
      VerdictLine(line: chunk.firstLine + place, id: judgment.id, verdict: verdict, reason: reason).append(to: &output)
    }
    if let waiting { waitFor { [unresolved] in await waiting.add(unresolved) } }
  }
}
