public import KeyRecords
import RegistryAPI
public import RegistryClient

/// Why a text is no contact card, or not one to go by. Each has a stable code.
public enum CardFault: Error, Sendable {
  /// More bytes than a card has.
  case tooLarge
  /// Nothing in the text looks like a card.
  case noCard
  /// The end of a card is missing.
  case incomplete
  /// Some characters changed on the way.
  case damaged
  /// It was made by a later version.
  case laterVersion(Int)
  /// It is whole, and no card all the same: the field where.
  case malformed(String)
  /// The name cannot be shown.
  case name(ContactName.Fault)
  /// It is for another app.
  case otherApp(AppID)
  /// It says it was made in the future.
  case fromTheFuture(Milliseconds)
  /// It names one user, and its records are another's.
  case otherUser(named: UserID, records: UserID)
  /// Its records contradict the rules, the clock or the app's policies.
  case history(Conflict)
  /// The app's policies are not known here, and did not come with it.
  case noPolicies
  /// Only a registrar can say what became of a delayed record in it.
  case delayedRecord(UserID)
  /// Its user has no key in force.
  case noKeyInForce(SafetyFault)
  /// It was signed by a key that its own records have ended.
  case formerKey(UserID)
  /// No key of its user has signed it: it was changed, or somebody else made it.
  case wrongSignature(UserID)
  /// One's own history is longer than cards are.
  case historyTooLong(entries: Int)

  /// Stable, for scripts (docs/peerkey.md).
  public var code: String {
    switch self {
    case .tooLarge: "card-too-large"
    case .noCard: "no-card"
    case .incomplete: "card-incomplete"
    case .damaged: "card-damaged"
    case .laterVersion: "card-version"
    case .malformed: "card-malformed"
    case .name: "card-name"
    case .otherApp: "card-app"
    case .fromTheFuture: "card-time"
    case .otherUser: "card-user"
    case .history: "conflict"
    case .noPolicies: "card-policies"
    case .delayedRecord: "card-delayed"
    case .noKeyInForce: "card-key"
    case .formerKey: "card-former-key"
    case .wrongSignature: "card-signature"
    case .historyTooLong: "card-history"
    }
  }
}

extension CardFault: CustomStringConvertible {
  /// A sentence for people: what is the matter, then what to do.
  public var description: String {
    switch self {
    case .tooLarge: "this is more than a contact card has: hand over the card alone"
    case .noCard: "there is no contact card in this text: it begins with \(CardText.begin), or \(CardText.prefix)"
    case .incomplete: "the end of the contact card is missing: ask for all of it, up to \(CardText.end)"
    case .damaged: "the contact card was damaged on the way: ask for it again"
    case .laterVersion(let version):
      "the contact card has version \(version), which this program does not know: update it"
    case .malformed(let field): "this is no contact card as we make them: \(field) cannot be"
    case .name(let fault): "the name on the contact card is none to be shown: \(fault)"
    case .otherApp(let app): "the contact card is for \(app): give --app \(app), if that is what you want"
    case .fromTheFuture: "the contact card says it was made in the future: check the clocks of both machines"
    case .otherUser(let named, let records):
      "the contact card says it is \(named)'s and has the records of \(records): somebody made it up"
    case .history(let conflict):
      // It may name fields of the card.
      "the records on the contact card cannot be: \(PrintableText.line(conflict.reason))"
    case .noPolicies: "the app's policies are not known here and did not come with the card: look somebody up first"
    case .delayedRecord(let user):
      "the records of \(user) go through one that took effect with a delay, and only a registrar can say that it did: "
        + "look the user up instead"
    case .noKeyInForce(let fault): "\(fault)"
    case .formerKey(let user):
      "the contact card was signed by a former key of \(user): ask for a new one, and how this came about"
    case .wrongSignature(let user): "no key of \(user) has signed this contact card: somebody made it up, or changed it"
    case .historyTooLong(let entries):
      "\(entries) records are too many for a contact card: let the other person look you up"
    }
  }
}
