import PeerstackFormat

/// Judges objects by the keys of a ``SignerFile``: `valid`, `invalid`, or `unresolved` for signers it has not.
public struct SignerFileJudge: ChunkJudge {
  /// Bytes of one object.
  public static let maxLineBytes = JSONLimits.standardMaxBytes
  /// After a longer line, the reader's memory is given back.
  private static let keptLineBytes = 1 << 20

  private let signers: SignerFile
  private var reader = SignedObjectReader()

  /// A judge for one thread.
  public init(signers: SignerFile) { self.signers = signers }

  /// Appends one answer for each line.
  public mutating func judge(_ chunk: LineChunk, appendingTo output: inout [UInt8]) {
    if chunk.isTooLarge {
      let reason = "the line has more than \(Self.maxLineBytes) bytes"
      VerdictLine(line: chunk.firstLine, id: nil, verdict: "invalid", reason: reason).append(to: &output)
      return
    }
    chunk.forEachLine { line, number in
      let (verdict, reason) = verdict(on: line)
      VerdictLine.append(line: number, verdict: verdict, reason: reason, to: &output) { reader.appendID(to: &$0) }
      if line.count > Self.keptLineBytes { reader = SignedObjectReader() }
    }
  }

  /// What the keys of the file say of one object.
  public mutating func verdict(on line: Span<UInt8>) -> (verdict: String, reason: String) {
    do throws(JSONSyntaxError) {
      try reader.read(line)
    } catch {
      return ("invalid", "no JSON: \(error)")
    }
    guard reader.isObject else { return ("invalid", "the JSON is no object") }
    switch signers.signer(of: reader) {
    case nil:
      guard reader.signer != nil else { return ("invalid", "it names no signer") }
      return ("unresolved", "the signer is not among the users")
    case .unreadable: return ("invalid", "the signer's key among the users cannot be read")
    case .key(let key):
      switch reader.verify(with: key) {
      case .accepted: return ("valid", "signed by the signer's key")
      case .rejected: return ("invalid", "the signature is not the signer's, or not for this object")
      case .unreadable: return ("invalid", "it has no signature that can be read")
      }
    }
  }
}
