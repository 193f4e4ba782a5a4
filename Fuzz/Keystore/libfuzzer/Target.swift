import Cryptography
import KeyRecords
import PeerstackFormat

@testable import Keystore

/// What must hold for every input (see ../README.md).
func checkInput(_ bytes: [UInt8]) {
  checkFile(bytes)
  checkContents(bytes)
  checkTexts(bytes)
  checkApprovals(bytes)
}

private let bounds = Argon2idBounds(minimumMemoryKiB: 8, maximumMemoryKiB: 64, maximumWorkKiB: 64)
private let password = Credential.password(SecretBytes(copying: Array("password".utf8)))

/// The file as it is, and with a checksum that fits, so that what is behind the checksum is reached too.
private func checkFile(_ bytes: [UInt8]) {
  check(bytes)
  guard let object = (try? JSONValue.parseLenient(bytes))?.object?.omitting(["checksum"]) else { return }
  let checksum = SHA256.hash(CanonicalJSON.bytes(of: .object(object))).hex
  check(CanonicalJSON.bytes(of: .object(object.setting("checksum", to: .text(checksum)))))
}

private func check(_ bytes: [UInt8]) {
  do throws(KeystoreError) {
    let sealed = try SealedKeystore(parsing: bytes, bounds: bounds)
    precondition(sealed.slots.allSatisfy { $0.parameters.memoryKiB <= bounds.maximumMemoryKiB })
    let again = try SealedKeystore(parsing: sealed.bytes, bounds: bounds)
    precondition(again == sealed, "what is written is not what was read")
    _ = try sealed.unlock(with: password)
    preconditionFailure("nobody sealed this")
  } catch {
    precondition(!error.description.utf8.contains { $0 < 0x20 }, "an error repeats what is in the file")
  }
}

/// What comes out of the seal is only trusted to be somebody's who knows the password.
private func checkContents(_ bytes: [UInt8]) {
  guard let id = UserID("0mc2q6zx7calicealicealice"), let name = AppID("chat.example") else {
    preconditionFailure("good names")
  }
  var header = Header(id: id)
  if let app = try? Header.App(app: name, registrars: []) { header.apps = [app] }
  guard let contents = try? Contents(SecretBytes(copying: bytes), header: header) else { return }
  guard let again = try? Contents(contents.plaintext, header: header) else {
    preconditionFailure("what is written cannot be read")
  }
  precondition(again.keys == contents.keys && again.changes == contents.changes && again.apps == contents.apps)
  precondition(again.seeds == contents.seeds && again.claim == contents.claim && again.records == contents.records)
  for key in contents.keys {
    precondition(contents.signingKey(for: key.publicKey).map { $0.verifyingKey == key.publicKey } ?? true)
  }
}

/// What travels by mail: as it is, and what is in the input as JSON with a checksum that fits.
private func checkApprovals(_ bytes: [UInt8]) {
  check(ApprovalRequest(text: bytes), ApprovalAnswer(text: bytes))
  guard let object = (try? JSONValue.parseLenient(bytes))?.object else { return }
  let texts = [ApprovalRequest.prefix, ApprovalAnswer.prefix].map { prefix in
    Array(CarriedText.text(object, prefix: prefix).utf8)
  }
  for (text, prefix) in zip(texts, [ApprovalRequest.prefix, ApprovalAnswer.prefix]) {
    // What is read strictly is the same object; what is not JSON in the strict sense is none.
    if let read = CarriedText.object(text, prefix: prefix) { precondition(read == object, "another object") }
  }
  check(ApprovalRequest(text: texts[0]), ApprovalAnswer(text: texts[1]))
}

private func check(_ request: ApprovalRequest?, _ answer: ApprovalAnswer?) {
  if let request {
    let again = ApprovalRequest(text: Array(request.text.utf8))
    precondition(again?.draft == request.draft && again?.checkDigits == request.checkDigits)
    precondition(request.checkDigits.utf8.count == 14 && request.deadline > request.modified)
    precondition(request.draft.unsigned["approvals"] == nil && request.draft.unsigned["signature"] == nil)
  }
  if let answer {
    let again = ApprovalAnswer(text: Array(answer.text.utf8))
    precondition(again?.hash == answer.hash && again?.approval == answer.approval)
    precondition(answer.approval.publicKey.isValidSignature(answer.approval.signature, for: Array(answer.hash.hex.utf8)))
  }
}

private func checkTexts(_ bytes: [UInt8]) {
  let text = SecretBytes(copying: bytes)
  if let key = try? PaperKey(text: text) {
    precondition((try? PaperKey(text: key.text))?.verifyingKey == key.verifyingKey)
  }
  if let code = try? RecoveryCode(text: text) {
    precondition((try? RecoveryCode(text: code.text))?.secret == code.secret)
  }
  if let hash = try? PasswordHash(parsing: String(decoding: bytes, as: UTF8.self)) {
    precondition(Array(hash.text.utf8) == bytes)
  }
  if let identity = try? PlainIdentity(parsing: text) {
    precondition((try? PlainIdentity(parsing: identity.text))?.key.verifyingKey == identity.key.verifyingKey)
  }
  if bytes.count == 32 {
    let code = GroupedText.text(of: text, kind: .paperKey)
    precondition((try? GroupedText.secret(of: code, kind: .paperKey)) == text)
  }
}
