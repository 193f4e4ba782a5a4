import Cryptography
import KeyRecords
import PeerstackFormat
import RegistryClient

@testable import Contacts

/// What must hold for every input (see ../README.md).
func checkInput(_ bytes: [UInt8]) {
  checkCard(bytes)
  checkPacked(bytes)
  checkSigned(bytes)
  checkTexts(bytes)
}

private let app = AppID("chat.example")
/// The key of whose card is in ../regressions.
private let key = SigningKey(seed: [UInt8](repeating: 1, count: 32))
private let clock: Milliseconds = 1 << 52

/// Whatever is taken for a card says the same when it is handed on.
private func checkCard(_ text: [UInt8]) {
  guard let app else { preconditionFailure("a good name") }
  do throws(CardFault) {
    let card = try ContactCard.read(text, app: app, clock: clock)
    precondition(card.app == app && !card.judged.isConfirmed && card.judged.subject == card.user)
    precondition((1...ContactCard.maxEntries).contains(card.judged.history.entries.count))
    precondition(card.identity.publicKey == card.judged.state.currentKey?.publicKey)
    checkName(card.name.text)
    for form in [card.text, card.line] {
      guard let again = try? ContactCard.read(Array(form.utf8), app: app, clock: clock) else {
        preconditionFailure("what is written cannot be read")
      }
      precondition(again.bytes == card.bytes && again.identity == card.identity)
    }
  } catch {
    precondition(!error.description.unicodeScalars.contains { isControl($0) }, "an error repeats what is in the card")
  }
}

/// The same behind a checksum that fits.
private func checkPacked(_ bytes: [UInt8]) {
  if let value = PackedJSON.unpack(bytes) {
    precondition(PackedJSON.pack(value) == bytes)
    let text = CanonicalJSON.bytes(of: value)
    precondition((try? JSONValue.parseStrict(text, maxDepth: PackedJSON.maxDepth)) == value, "no strict JSON")
    precondition(text.count <= 8 * PackedJSON.maxTextBytes, "a short form became a long value")
  }
  checkCard(Array(CardText.line(CardText.bytes(of: bytes)).utf8))
}

/// The same behind a signature that fits: the input is the JSON of a card.
private func checkSigned(_ bytes: [UInt8]) {
  guard let key, let object = (try? JSONValue.parseStrict(bytes, maxDepth: PackedJSON.maxDepth))?.object else { return }
  if let packed = PackedJSON.pack(.object(object)) {
    precondition(PackedJSON.unpack(packed) == .object(object))
  }
  guard let signer = object["signer"]?.jsonString else { return }
  let signed = PeerstackSignature.sign(object, as: signer, with: key)
  guard let packed = PackedJSON.pack(.object(signed)) else { return }
  checkCard(Array(CardText.line(CardText.bytes(of: packed)).utf8))
}

private func checkTexts(_ bytes: [UInt8]) {
  if let (app, people) = try? SafetyText.read(bytes) {
    precondition(people.count == 2 && people[0].user < people[1].user)
    let text = "\(SafetyText.prefix)1:\(app.text.uppercased()):\(people.map(\.text).joined(separator: ":"))"
    precondition(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self).uppercased() == text)
  }
  if let digits = SafetyNumber.digits(typed: bytes) {
    precondition(digits.utf8.count == SafetyNumber.digitCount && digits.utf8.allSatisfy { (0x30...0x39).contains($0) })
  }
  if let decoded = Base32.decode(bytes) {
    precondition(Array(Base32.encode(decoded).utf8) == Array(String(decoding: bytes, as: UTF8.self).uppercased().utf8))
  }
  do throws(ContactName.Fault) {
    checkName(try ContactName(String(decoding: bytes, as: UTF8.self)).text)
  } catch {
    precondition(!error.description.unicodeScalars.contains { isControl($0) }, "an error repeats what is in the name")
  }
}

private func checkName(_ name: String) {
  precondition((1...ContactName.maxScalars).contains(name.unicodeScalars.count))
  precondition(!name.unicodeScalars.contains { isControl($0) }, "a name could steer a terminal")
  precondition(name.unicodeScalars.contains { $0.properties.generalCategory != .spaceSeparator && !isJoiner($0) })
}

private func isJoiner(_ scalar: Unicode.Scalar) -> Bool { scalar == "\u{200c}" || scalar == "\u{200d}" }

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .lineSeparator, .paragraphSeparator: true
  case .format: !isJoiner(scalar)
  default: false
  }
}
