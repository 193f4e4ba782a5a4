/// The parameters of a query, decoded: `name=value` joined by `&`, percent-escaped (`PercentCoding`; `+` is a plus).
public struct QueryItems: Hashable, Sendable {
  /// One parameter. Without `=` its value is empty.
  public struct Item: Hashable, Sendable {
    /// The decoded name.
    public let name: String
    /// The decoded value.
    public let value: String
  }

  /// What is wrong with a query.
  public enum SyntaxError: Error, Hashable, Sendable {
    /// The value has a bad escape or is not UTF-8.
    case badValue(parameter: String)
    /// A name is empty, has a bad escape or is not UTF-8; `parameter` is as sent.
    case badName(parameter: String)

    /// The parameter to name in an answer.
    public var parameter: String {
      switch self {
      case .badValue(let parameter), .badName(let parameter): parameter
      }
    }
  }

  /// All parameters in the order they were sent.
  public let items: [Item]

  /// Reads what follows the question mark; no query and an empty one have no parameters.
  ///
  /// Empty parameters (`a=1&&b=2`, a `&` at the end) are refused as bad names.
  public init(parsing query: String?) throws(SyntaxError) {
    guard let query, !query.isEmpty else {
      items = []
      return
    }
    var items: [Item] = []
    for part in Array(query.utf8).split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false) {
      items.append(try QueryItems.item(part))
    }
    self.items = items
  }

  private static func item(_ part: ArraySlice<UInt8>) throws(SyntaxError) -> Item {
    let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
    let rawName = part[part.startIndex..<end]
    guard let name = PercentCoding.decode(rawName), !name.isEmpty else {
      throw .badName(parameter: String(decoding: rawName, as: UTF8.self))
    }
    guard let value = PercentCoding.decode(part[end...].dropFirst()) else { throw .badValue(parameter: name) }
    return Item(name: name, value: value)
  }

  /// The same as `init(parsing:)`, nil for every error.
  public init?(_ query: String?) {
    guard let items = try? QueryItems(parsing: query) else { return nil }
    self = items
  }

  /// The value of the first parameter with this name. Ask `count(of:)` where it matters that there is one.
  public subscript(name: String) -> String? {
    items.first { $0.name == name }?.value
  }

  /// How often a parameter is given.
  public func count(of name: String) -> Int {
    items.count { $0.name == name }
  }

  /// A query as sent without the parameters of this name; nil when none remains, or there was no query. Everything else
  /// stays byte for byte: a signature covers what is left (protocol §8, members only).
  public static func query(_ query: String?, omitting name: String) -> String? {
    guard let query else { return nil }
    let parts = query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
    let kept = parts.filter { part in PercentCoding.decode(Array(part.prefix { $0 != UInt8(ascii: "=") })) != name }
    guard kept.count < parts.count else { return query }
    return kept.isEmpty ? nil : kept.compactMap { String($0) }.joined(separator: "&")
  }
}
