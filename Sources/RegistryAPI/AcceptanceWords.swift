import KeyRecords

/// Sentences about what would be accepted.
enum AcceptanceWords {
  /// The section that decides.
  static func rule(_ answer: DryRunAnswer, _ submission: Submission?) -> String {
    switch answer.effect {
    case .same: return "§5.2"
    case .contest: return "§6"
    case .pending: return "§5.7"
    case .effective: break
    }
    switch submission {
    case .record(let record)? where record.action == .claim: return "§5.3"
    case .policy?: return "§7"
    case .adjudication?: return "§6"
    case .record?, nil: return "§5.5"
    }
  }

  static func sentences(
    _ answer: DryRunAnswer, _ stoppers: [Explanation.TierNote], _ submission: Submission?
  ) -> [String] {
    var sentences = effect(answer, submission)
    if let rank = answer.rank {
      sentences.append("it is authorised at rank \(rank)\(answer.tier.map { ", tier \($0.description)" } ?? "") (§5.5)")
    }
    guard answer.stoppableBy != nil else { return sentences }
    for note in stoppers {
      let name = note.tier.map { " \($0.description)" } ?? ""
      sentences.append("until then rank \(note.rank)\(name) can stop it: \(note.tier.stopWords)")
    }
    return sentences
  }

  private static func effect(_ answer: DryRunAnswer, _ submission: Submission?) -> [String] {
    let time = answer.effective.map { TimeWords.utc($0) }
    switch answer.effect {
    case .same where answer.stoppableBy != nil:
      return ["accepted before (§5.2), and pending: it takes effect on \(time ?? "its time") by the clock alone (§5.7)"]
    case .same: return ["accepted before (§5.2): sent again it is answered as the first time, and changes nothing"]
    case .contest:
      return [
        "accepted as a rival claim (§6): the id is contested, and nobody's key is in force for clients meanwhile",
        "the app's admins decide by an adjudication; without one the first claim stands 30 days after the first rival",
      ]
    case .pending: return ["accepted, and pending: it takes effect on \(time ?? "its time") by the clock alone (§5.7)"]
    case .effective: return ["accepted, and in effect at once (\(rule(answer, submission)))"]
    }
  }
}
