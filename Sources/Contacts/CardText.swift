import Cryptography

/// How a card travels: lines with a frame that survive mail, or one line for a QR code. Both hold the same bytes: the
/// version, the packed card, and four bytes of a checksum that tells an accident from a forgery.
enum CardText {
  static let begin = "-----BEGIN PEERKEY CONTACT CARD-----"
  static let end = "-----END PEERKEY CONTACT CARD-----"
  static let prefix = "PEERKEY:CARD:"
  static let version: UInt8 = 1
  static let lineCount = 64
  private static let checksumCount = 4

  // MARK: Writing

  /// The bytes of a card.
  static func bytes(of packed: [UInt8]) -> [UInt8] {
    let body = [version] + packed
    return body + SHA256.hash(body).bytes.prefix(checksumCount)
  }

  static func armoured(_ bytes: [UInt8]) -> String {
    let characters = Array(Base64.encode(bytes).utf8)
    let lines = stride(from: 0, to: characters.count, by: lineCount).map { start in
      String(decoding: characters[start..<min(start + lineCount, characters.count)], as: UTF8.self)
    }
    return ([begin] + lines + [end]).joined(separator: "\n") + "\n"
  }

  static func line(_ bytes: [UInt8]) -> String { prefix + Base32.encode(bytes) }

  // MARK: Reading

  /// The packed card of the first card in a text that is whole; what is around it does not matter.
  static func packed(in text: [UInt8]) throws(CardFault) -> [UInt8] {
    guard text.count <= ContactCard.maxTextBytes else { throw .tooLarge }
    var fault = CardFault.noCard
    for candidate in candidates(in: text) {
      do throws(CardFault) {
        return try packed(of: candidate.get())
      } catch {
        fault = error
      }
    }
    throw fault
  }

  private static func packed(of bytes: [UInt8]) throws(CardFault) -> [UInt8] {
    guard bytes.count > 1 + checksumCount, bytes.count <= ContactCard.maxBytes else {
      throw bytes.count > ContactCard.maxBytes ? .tooLarge : .damaged
    }
    let body = Array(bytes.dropLast(checksumCount))
    guard SHA256.hash(body).bytes.prefix(checksumCount).elementsEqual(bytes.suffix(checksumCount)) else {
      throw .damaged
    }
    guard body[0] == version else { throw .laterVersion(Int(body[0])) }
    return Array(body.dropFirst())
  }

  /// The bytes of everything that looks like a card, in the order of the text. A mail may quote a part before the whole.
  private static func candidates(in text: [UInt8]) -> [Result<[UInt8], CardFault>] {
    var found: [Result<[UInt8], CardFault>] = []
    /// Characters since the last beginning; nil outside of a frame.
    var body: [UInt8]?
    for raw in text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
      let line = unquoted(raw)
      if line.elementsEqual(begin.utf8) {
        if body != nil { found.append(.failure(.incomplete)) }
        body = []
      } else if line.elementsEqual(end.utf8) {
        guard let whole = body else { continue }
        found.append(Base64.decodeCanonical(whole).map { .success($0) } ?? .failure(.damaged))
        body = nil
      } else if body != nil {
        body?.append(contentsOf: line.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") })
      } else if let compact = compact(line) {
        found.append(Base32.decode(compact).map { .success($0) } ?? .failure(.damaged))
      }
    }
    if body != nil { found.append(.failure(.incomplete)) }
    return found
  }

  /// The characters after the prefix of the one-line form, of either case; nil for other lines.
  private static func compact(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let start = line.prefix(prefix.utf8.count)
    guard String(decoding: start, as: UTF8.self).uppercased() == prefix else { return nil }
    return line.dropFirst(start.count)
  }

  /// A line without marks of quotation and blanks around it.
  private static func unquoted(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let blanks = Set(" \t>|".utf8)
    let start = line.drop { blanks.contains($0) }
    let count = start.reversed().drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.count
    return start.prefix(count)
  }
}
