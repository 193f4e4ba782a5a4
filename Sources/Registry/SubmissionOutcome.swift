public import KeyRecords

/// What became of a submission.
public enum SubmissionOutcome: Sendable {
  /// It was accepted, and is durable: the JSON text of its entry.
  case created([UInt8])
  /// It had been accepted before: the JSON text of its entry, as the first time.
  case repeated([UInt8])
  /// The rules refuse it; nothing has changed.
  case refused(Refusal)
}
