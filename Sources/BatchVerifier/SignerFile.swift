import Cryptography
import PeerstackFormat

/// Signers from a file: an object of user ids, each with that user's `User` object. The keys in it decide, nothing
/// else.
public struct SignerFile: Sendable {
  /// Why a text is no such file: a sentence for people.
  public struct FormatError: Error, Sendable, CustomStringConvertible {
    /// What is wrong, and where.
    public let description: String
  }

  /// Bytes of a file: about half a million users.
  public static let maxBytes = 256 << 20

  /// What the file has for a signer.
  enum Signer: Sendable {
    case key(VerifyingKey)
    /// There is a user, but no key can be read.
    case unreadable
  }

  private var signers: [ShortText: Signer] = [:]
  /// Those whose id is longer than 32 bytes.
  private var longSigners: [JSONString: Signer] = [:]

  /// Reads the text of a file.
  public init(_ text: [UInt8]) throws(FormatError) {
    let value: JSONValue
    do throws(JSONSyntaxError) {
      value = try JSONValue.parseLenient(text, limits: JSONLimits(maxBytes: Self.maxBytes))
    } catch {
      throw FormatError(description: "not JSON: \(error)")
    }
    guard let users = value.object else { throw FormatError(description: "not an object of user ids") }
    for (id, user) in users.members { try add(user, as: id) }
  }

  private mutating func add(_ user: JSONValue, as id: JSONString) throws(FormatError) {
    guard let object = user.object else {
      throw FormatError(description: "what it has for the user \(Self.quoted(id)) is no object")
    }
    if let own = object["id"], own != .string(id) {
      throw FormatError(description: "the user under \(Self.quoted(id)) has another id")
    }
    let key = object["publicKey"]?.jsonString.flatMap { try? PeerstackKeys.verifyingKey($0) }
    let signer = key.map { Signer.key($0) } ?? .unreadable
    if let short = ShortText(id) { signers[short] = signer } else { longSigners[id] = signer }
  }

  private static func quoted(_ id: JSONString) -> String {
    String(decoding: JSONValue.string(id).text, as: UTF8.self)
  }

  /// What the file has for the signer of the object that was read last; nil if it has nothing.
  func signer(of reader: borrowing SignedObjectReader) -> Signer? {
    if let short = reader.shortSigner { return signers[short] }
    guard !longSigners.isEmpty, let long = reader.signer else { return nil }
    return longSigners[long]
  }
}
