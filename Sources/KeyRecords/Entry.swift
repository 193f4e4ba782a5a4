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
    // Put together on the stack: so the text grows once, and no number becomes a string.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: mostBytesBesideRecord) { buffer in
      var head = EntryHead(buffer)
      head.append("{\"index\":", index)
      head.append(",\"accepted\":", accepted)
      head.append(",\"effective\":", effective)
      head.append(",\"rank\":", rank)
      head.append(",\"record\":")
      text.append(contentsOf: head.written)
    }
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

/// The beginning of an entry's text while it is put together. Names and numbers take less than
/// ``Entry/mostBytesBesideRecord`` bytes.
private struct EntryHead {
  private let buffer: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  /// Digits that a number has at most.
  private static let mostDigits = 20

  init(_ buffer: UnsafeMutableBufferPointer<UInt8>) { self.buffer = buffer }

  var written: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: buffer[..<count]) }

  mutating func append(_ name: StaticString) {
    precondition(name.utf8CodeUnitCount <= buffer.count - count)
    for index in 0..<name.utf8CodeUnitCount { buffer[count + index] = name.utf8Start[index] }
    count += name.utf8CodeUnitCount
  }

  mutating func append(_ name: StaticString, _ number: Int64?) {
    append(name)
    guard let number else { return append("null") }
    if number < 0 { append("-") }
    precondition(Self.mostDigits <= buffer.count - count)
    // The last digit comes first, so they begin at the end of the buffer.
    var place = buffer.count
    var rest = number.magnitude
    repeat {
      place -= 1
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      buffer[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
      rest = quotient
    } while rest > 0
    for index in place..<buffer.count {
      buffer[count] = buffer[index]
      count += 1
    }
  }
}
