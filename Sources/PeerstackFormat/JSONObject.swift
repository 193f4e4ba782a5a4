/// A JSON object: members with unique names, in the order of the source.
///
/// Equality does not look at the order.
public struct JSONObject: Sendable {
  /// A name and its value.
  public struct Member: Hashable, Sendable {
    /// The name.
    public let name: JSONString
    /// The value.
    public let value: JSONValue

    /// Puts both together.
    public init(name: JSONString, value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// Up to this many members a look-up simply walks through them.
  static let maxScannedMembers = 20

  /// The members as they are kept.
  let storage: [Member]
  /// Positions in `storage`, sorted by name; empty while look-ups walk.
  private let sortedPositions: [Int]

  /// Keeps the position of the first and the value of the last of members that share a name, as JavaScript does.
  public init(_ members: [(JSONString, JSONValue)]) {
    self.init(members.map { Member(name: $0.0, value: $0.1) })
  }

  /// Keeps the position of the first and the value of the last of members that share a name, as JavaScript does.
  public init(_ members: [Member] = []) {
    if members.count <= Self.maxScannedMembers, Self.areUniqueByScan(members) {
      self.init(unique: members, sortedPositions: [])
      return
    }
    let sorted = Self.sortedPositions(of: members)
    let isUnique = zip(sorted, sorted.dropFirst()).allSatisfy { members[$0].name != members[$1].name }
    if isUnique {
      self.init(unique: members, sortedPositions: sorted)
    } else {
      let merged = Self.merged(members, sortedPositions: sorted)
      self.init(unique: merged, sortedPositions: Self.sortedPositions(of: merged))
    }
  }

  private static func areUniqueByScan(_ members: [Member]) -> Bool {
    for index in members.indices.dropFirst() {
      for earlier in 0..<index where members[earlier].name == members[index].name { return false }
    }
    return true
  }

  private init(unique members: [Member], sortedPositions: [Int]) {
    storage = members
    self.sortedPositions = members.count > Self.maxScannedMembers ? sortedPositions : []
  }

  /// Sorted by name, equal names by position.
  private static func sortedPositions(of members: [Member]) -> [Int] {
    members.indices.sorted { left, right in
      if members[left].name < members[right].name { return true }
      return left < right && members[left].name == members[right].name
    }
  }

  private static func merged(_ members: [Member], sortedPositions: [Int]) -> [Member] {
    var values: [Int: JSONValue] = [:]
    var first = 0
    for position in sortedPositions.indices {
      let isRepeated = members[sortedPositions[first]].name == members[sortedPositions[position]].name
      if !isRepeated { first = position }
      values[sortedPositions[first]] = members[sortedPositions[position]].value
    }
    return members.indices.compactMap { position in
      values[position].map { Member(name: members[position].name, value: $0) }
    }
  }

  /// The number of members.
  public var count: Int { storage.count }

  /// Whether there are no members.
  public var isEmpty: Bool { storage.isEmpty }

  /// Names and values in the order of the source.
  public var members: [(JSONString, JSONValue)] {
    storage.map { ($0.name, $0.value) }
  }

  /// The names in the order of the source.
  public var names: [JSONString] {
    storage.map(\.name)
  }

  /// The value of a name.
  public subscript(name: String) -> JSONValue? {
    self[JSONString(name)]
  }

  /// The value of a name.
  public subscript(name: JSONString) -> JSONValue? {
    guard !sortedPositions.isEmpty else { return storage.first { $0.name == name }?.value }
    var low = 0
    var high = sortedPositions.count
    while low < high {
      let middle = (low + high) / 2
      if storage[sortedPositions[middle]].name < name { low = middle + 1 } else { high = middle }
    }
    guard low < sortedPositions.count, storage[sortedPositions[low]].name == name else { return nil }
    return storage[sortedPositions[low]].value
  }

  /// Positions in `storage` in the order of canonical text.
  var positionsByName: [Int] {
    guard sortedPositions.isEmpty else { return sortedPositions }
    // Few and unique: insertion beats the general way.
    var positions: [Int] = []
    positions.reserveCapacity(storage.count)
    for position in storage.indices {
      let name = storage[position].name
      var place = positions.count
      while place > 0, name < storage[positions[place - 1]].name { place -= 1 }
      positions.insert(position, at: place)
    }
    return positions
  }

  /// The members as JavaScript enumerates them: array indexes first and by number, the rest as they came.
  var membersInJavaScriptOrder: [Member] {
    let indexes = storage.map { Self.arrayIndex($0.name) }
    guard indexes.contains(where: { $0 != nil }) else { return storage }
    let first = storage.indices.filter { indexes[$0] != nil }.sorted { (indexes[$0] ?? 0) < (indexes[$1] ?? 0) }
    let rest = storage.indices.filter { indexes[$0] == nil }
    return (first + rest).map { storage[$0] }
  }

  /// The number a name is the canonical text of, if it can be an array index (ECMA-262 §6.1.7).
  private static func arrayIndex(_ name: JSONString) -> UInt32? {
    guard let text = name.string, let first = text.utf8.first, first &- UInt8(ascii: "0") < 10,
      let index = UInt32(text), index < UInt32.max, String(index) == text
    else { return nil }
    return index
  }

  /// This object with `value` for `name`: in its old place if there was one, else at the end.
  public func setting(_ name: JSONString, to value: JSONValue) -> JSONObject {
    JSONObject(storage + [Member(name: name, value: value)])
  }

  /// This object without the members of these names.
  public func omitting(_ names: Set<String>) -> JSONObject {
    JSONObject(storage.filter { member in !(member.name.string.map(names.contains) ?? false) })
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Members as written.
  public init(dictionaryLiteral elements: (JSONString, JSONValue)...) {
    self.init(elements)
  }
}

extension JSONObject: Hashable {
  /// Whether both have the same names with equal values.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    JSONValue.object(left) == JSONValue.object(right)
  }

  /// Feeds members in the order of their names.
  public func hash(into hasher: inout Hasher) {
    JSONValue.object(self).hash(into: &hasher)
  }
}
