import HTTPFormat
import Testing

@Suite struct PercentCodingTests {
  @Test func decoding() {
    #expect(PercentCoding.decode("a%20b%2F%c3%A9+") == "a b/é+")
    #expect(PercentCoding.decode("") == "")
    #expect(PercentCoding.decode("%00") == "\0")
    #expect(PercentCoding.decode("%2525") == "%25", "decoded once")
  }

  @Test(arguments: ["%", "a%2", "%zz", "%2g", "%%20", "% 0", "%+1", "%ff", "%c3", "%C0%AF", "%ed%a0%80"])
  func badEscapesAndBadUTF8AreRefused(_ text: String) {
    #expect(PercentCoding.decode(text) == nil)
  }

  @Test func encodingIsUndoneByDecoding() {
    #expect(PercentCoding.encode("a b/é~-._+%") == "a%20b%2F%C3%A9~-._%2B%25")
    let all = String(String.UnicodeScalarView((0..<0x250).compactMap(Unicode.Scalar.init)))
    #expect(PercentCoding.decode(PercentCoding.encode(all)) == all)
  }

  @Test func pathSegments() {
    func segments(_ path: String) -> [String]? { PercentCoding.pathSegments(path.utf8) }
    #expect(segments("/a/b%2Fc") == ["a", "b/c"])
    #expect(segments("/a/") == ["a", ""])
    #expect(segments("/") == [""])
    #expect(segments("//a") == ["", "a"])
    #expect(segments("/a/%") == nil)
    #expect(segments("*") == nil)
    #expect(segments("") == nil)
  }
}

@Suite struct QueryItemsTests {
  @Test func parameters() throws {
    let items = try QueryItems(parsing: "after=12&name=a%26b%3D&plus=a+b&empty=&bare&x=1=2&x=3")
    #expect(items["after"] == "12" && items["name"] == "a&b=" && items["plus"] == "a+b")
    #expect(items["empty"] == "" && items["bare"] == "" && items["missing"] == nil)
    #expect(items["x"] == "1=2" && items.count(of: "x") == 2)
    #expect(items.items.map(\.name) == ["after", "name", "plus", "empty", "bare", "x", "x"])
  }

  @Test func noParameters() throws {
    #expect(try QueryItems(parsing: nil).items.isEmpty)
    #expect(try QueryItems(parsing: "").items.isEmpty)
  }

  @Test func namesAreDecodedOnce() throws {
    #expect(try QueryItems(parsing: "%61fter=1")["after"] == "1")
    #expect(try QueryItems(parsing: "%2561=1")["%61"] == "1")
  }

  @Test(arguments: ["&", "a=1&", "&a=1", "a=1&&b=2", "=1", "%zz=1", "%ff=1"])
  func badNames(_ query: String) {
    #expect(QueryItems(query) == nil)
    #expect(throws: QueryItems.SyntaxError.self) { try QueryItems(parsing: query) }
  }

  @Test func badValueNamesItsParameter() {
    #expect(throws: QueryItems.SyntaxError.badValue(parameter: "b")) { try QueryItems(parsing: "a=1&b=%") }
    #expect(QueryItems.SyntaxError.badValue(parameter: "b").parameter == "b")
    #expect(throws: QueryItems.SyntaxError.badName(parameter: "%")) { try QueryItems(parsing: "%=1") }
  }

  @Test func omittingLeavesTheRestAsItWas() {
    #expect(QueryItems.query("a=%41&authorization=x%3D&b=+", omitting: "authorization") == "a=%41&b=+")
    #expect(QueryItems.query("authorization=x", omitting: "authorization") == nil)
    #expect(QueryItems.query("%61uthorization=x&c", omitting: "authorization") == "c")
    #expect(QueryItems.query("authorizations=x", omitting: "authorization") == "authorizations=x")
    #expect(QueryItems.query("", omitting: "authorization")?.isEmpty == true)
    #expect(QueryItems.query(nil, omitting: "authorization") == nil)
  }
}
