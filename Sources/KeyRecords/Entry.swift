public import PeerstackFormat

/// An accepted submission, as it is from its acceptance on and for ever (protocol §8).
public struct Entry: Sendable {
  /// The place in the app's history: 0, 1, 2, … without gaps.
  public let index: Int64
  /// When it was accepted.
  public let accepted: Milliseconds
  /// When it takes effect, as fixed at acceptance: later than `accepted` for a record of a delayed tier; nil for a
  /// rival claim.
  public let effective: Milliseconds?
  /// The rank it was authorised at; nil for claims, adjudications and policies.
  public let rank: Int?
  /// What was accepted.
  public let content: Submission

  /// An entry.
  public init(index: Int64, accepted: Milliseconds, effective: Milliseconds?, rank: Int?, content: Submission) {
    self.index = index
    self.accepted = accepted
    self.effective = effective
    self.rank = rank
    self.content = content
  }

  /// The record, if it holds one.
  public var record: KeyRecord? { content.record }

  /// The JSON text of the entry, in the order in which the protocol names its members.
  public var text: [UInt8] {
    Self.text(
      index: index, accepted: accepted, effective: effective, rank: rank.map(Int64.init), record: content.canonical)
  }

  /// The JSON text of an entry whose record is given as its canonical bytes.
  public static func text(
    index: Int64, accepted: Milliseconds, effective: Milliseconds?, rank: Int64?, record: [UInt8]
  ) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(mostBytesBesideRecord + record.count)
    appendHead(index: index, accepted: accepted, effective: effective, rank: rank, to: &text)
    text.append(contentsOf: record)
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// More bytes than the text of an entry has beside its record: five names, four numbers.
  public static let mostBytesBesideRecord = 144

  /// Appends the JSON text of an entry up to its record, behind which only a closing brace follows.
  public static func appendHead(
    index: Int64, accepted: Milliseconds, effective: Milliseconds?, rank: Int64?, to text: inout [UInt8]
  ) {
    append("{\"index\":", index, to: &text)
    append(",\"accepted\":", accepted, to: &text)
    append(",\"effective\":", effective, to: &text)
    append(",\"rank\":", rank, to: &text)
    append(",\"record\":", to: &text)
  }

  private static func append(_ name: StaticString, to text: inout [UInt8]) {
    text.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  /// A name and a number, written here because a string for each would cost more than all else of an entry.
  private static func append(_ name: StaticString, _ number: Int64?, to text: inout [UInt8]) {
    append(name, to: &text)
    guard let number else { return append("null", to: &text) }
    if number < 0 { text.append(UInt8(ascii: "-")) }
    let start = text.count
    var rest = number.magnitude
    repeat {
      text.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    text[start...].reverse()
  }

  /// Reads an entry as a registrar, an export or a peer gives it, and verifies what is in it.
  public static func verify(_ value: JSONValue, app: AppID) -> Result<Entry, Refusal> {
    Result { () throws(Refusal) in
      let fields = try FieldReader(value)
      try fields.check(required: ["index", "accepted", "effective", "rank", "record"])
      let effective = fields.object["effective"]?.isNull == true ? nil : try fields.integer("effective")
      let rank =
        fields.object["rank"]?.isNull == true
        ? nil : Int(try fields.integer("rank", in: 0...Int64(Limits.tiers.upperBound - 1)))
      return Entry(
        index: try fields.integer("index"), accepted: try fields.integer("accepted"), effective: effective, rank: rank,
        content: try Submission.verify(fields.object["record"] ?? .null, app: app).get())
    }
  }
}
