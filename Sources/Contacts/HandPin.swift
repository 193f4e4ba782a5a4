import KeyRecords
public import RegistryClient

/// Why a person's act did not change what is pinned.
public enum ContactFault: Error, Sendable {
  /// What was handed over is older than what is pinned, as far as can be seen. Nothing was changed.
  case older(sequence: Int64, pinned: Int64)
  /// What was handed over contradicts what is pinned. Nothing was changed.
  case conflict(Conflict)
  /// The pin keeps changing.
  case busy
  /// The store does not do its duty.
  case store(StoreFailure)
}

extension ContactFault: CustomStringConvertible {
  /// A sentence for people: what is the matter, then what to do.
  public var description: String {
    switch self {
    case .older(let sequence, let pinned):
      "it ends with record \(sequence), and \(pinned) records are known after the first: ask for a new card"
    case .conflict(let conflict): conflict.reason
    case .busy: "the pin keeps changing: try again"
    case .store(let failure): "the contacts cannot be kept: \(failure)"
    }
  }
}

/// What a person's act does to a pin (docs/decisions/0005-pins-by-hand.md). A history that was handed over moves a pin
/// only if a person says so, and never back.
enum HandPin {
  /// What becomes of a pin.
  struct Decision: Equatable {
    var pin: Pin
    var effect: AddedContact.Effect
  }

  /// - Parameters:
  ///   - pin: As it is stored.
  ///   - judged: What was handed over or compared.
  ///   - isVerified: Whether a person has compared it.
  ///   - known: The newest history that is known otherwise: tells an older card from a forged one.
  static func decide(
    _ pin: Pin?, _ judged: JudgedHistory, isVerified: Bool, known: JudgedHistory?
  ) throws(ContactFault) -> Decision {
    guard let pin else {
      let pin = Pin(byHand: judged, trust: isVerified ? .verified : .unverified)
      return Decision(pin: pin, effect: .pinned)
    }
    let pinned = [pin.first, pin.head].map { hash in judged.state.records.first { $0.record == hash }?.status }
    guard !pinned.contains(nil) else { throw lacking(pin, judged, known) }
    let isNewer = judged.state.head.hash != pin.head
    guard isVerified else { return Decision(pin: pin, effect: isNewer ? .newer : .unchanged) }
    let next = pin.confirmed(byHand: judged)
    return Decision(pin: next, effect: next == pin ? .unchanged : .verified)
  }

  /// What it means that pinned records are missing.
  private static func lacking(_ pin: Pin, _ judged: JudgedHistory, _ known: JudgedHistory?) -> ContactFault {
    func conflict(_ kind: Conflict.Kind, _ reason: String) -> ContactFault {
      let evidence = [
        Evidence(source: "pin: first \(pin.first), head \(pin.head), from \(pin.registrar)", entries: []),
        Evidence(source: "peer", entries: judged.history.entries.map(\.text)),
      ]
      return .conflict(Conflict(kind, reason, evidence: evidence))
    }
    guard judged.state.firstClaim.hash == pin.first else {
      return conflict(.rollback, "its first record is not the one that is known of \(pin.user): it is another identity")
    }
    let head = judged.state.head
    guard head.sequence < pin.sequence else {
      return conflict(.rollback, "it lacks a record that is known of \(pin.user): two histories part there")
    }
    if let known, !known.state.records.contains(where: { $0.record == head.hash }) {
      return conflict(.rollback, "its last record is not in the history of \(pin.user): two histories part there")
    }
    return .older(sequence: head.sequence, pinned: pin.sequence)
  }
}
