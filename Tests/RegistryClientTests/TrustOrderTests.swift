import KeyRecords
import RegistryClient
import Testing

struct TrustOrderTests {
  private static func history(_ claim: UInt8, bound: Bool, head: UInt8? = nil) -> RegistrarOpinion {
    .history(firstClaim: RecordHash(of: [claim]), head: RecordHash(of: [head ?? claim]), isBound: bound)
  }

  @Test func table() {
    let (a, b) = (Self.history(1, bound: false), Self.history(2, bound: false))
    let (boundA, boundB) = (Self.history(3, bound: true), Self.history(4, bound: true))
    let ahead = Self.history(3, bound: true, head: 9)
    let cases: [([RegistrarOpinion], TrustOrder.Outcome, [Int])] = [
      ([], .unknown, []),
      ([.unknown, .unknown], .unknown, []),
      ([a], .history(0), []),
      ([.unknown, a], .history(1), []),
      ([a, b], .history(0), [1]),
      ([b, a, b], .history(0), [1]),
      ([a, a], .history(0), []),
      ([a, boundA], .history(1), [0]),
      ([boundA, a], .history(0), [1]),
      ([boundA, boundA], .history(0), []),
      ([boundA, ahead], .history(0), [1]),
      ([ahead, boundA], .history(0), [1]),
      ([boundA, boundB], .conflict([0, 1]), []),
      ([a, boundA, .unknown, boundB], .conflict([1, 3]), []),
      ([.unavailable, a], .unavailable(0), []),
      ([.unavailable, boundA], .history(1), []),
      ([a, .unavailable], .history(0), []),
      ([.unknown, .unavailable], .unavailable(1), []),
      ([.unavailable, .unknown], .unavailable(0), []),
      ([.conflict, a], .conflict([0]), []),
      ([.conflict, boundA], .conflict([0]), []),
      ([a, .conflict], .history(0), [1]),
      ([.unknown, .conflict], .conflict([1]), []),
    ]
    for (opinions, outcome, disagreeing) in cases {
      let decision = TrustOrder.decide(opinions)
      #expect(decision.outcome == outcome, "\(opinions)")
      #expect(decision.disagreeing == disagreeing, "\(opinions)")
    }
  }

  /// Registrars that only a record names.
  @Test func hints() {
    func records(_ hashes: [UInt8], bound: Bool) -> EffectiveRecords {
      EffectiveRecords(hashes: hashes.map { RecordHash(of: [$0]) }, isBound: bound)
    }
    let cases: [([UInt8], Bool, [UInt8], Bool, TrustOrder.HintOutcome)] = [
      ([], false, [1], true, .nothingNew),
      ([1], true, [1], true, .nothingNew),
      ([1, 2], true, [1, 2, 3], true, .nothingNew),
      ([1, 2, 3], true, [1, 2], true, .update),
      ([1, 2, 3], false, [1, 2], false, .update),
      ([1, 9], true, [1, 2], true, .disagreement),
      ([1, 9, 3], true, [1, 2], true, .disagreement),
      ([1, 9], true, [1, 2, 3], true, .disagreement),
      ([9], false, [1], true, .disagreement),
      ([9], false, [1], false, .disagreement),
      ([9, 2], true, [1, 2], false, .conflict),
      ([9], true, [1], true, .conflict),
    ]
    for (hint, isHintBound, counting, isBound, outcome) in cases {
      let found = TrustOrder.weigh(
        hint: records(hint, bound: isHintBound), against: records(counting, bound: isBound))
      #expect(found == outcome, "\(hint) \(counting)")
    }
  }
}
