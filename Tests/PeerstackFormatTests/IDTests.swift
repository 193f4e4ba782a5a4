import PeerstackFormat
import Testing

@Suite struct IDTests {
  @Test func cases() throws {
    let now = try #require(Vectors.file("ids.json")["now"]?.integer)
    for vector in try Vectors.list("cases", in: "ids.json") {
      let input = try #require(vector["input"])
      let isID = try? PeerstackID.isID(input, now: now)
      #expect(isID == vector["isid"]?.bool, "\(vector.id)")
      #expect((isID == nil) == (vector["isidError"] != nil), "\(vector.id)")
      #expect((try? PeerstackID.isOldID(input)) == vector["isid_v1"]?.bool, "\(vector.id)")
      // What is no string has no time: the library throws, here the type says so.
      guard let text = input.jsonString else { continue }
      #expect(PeerstackID.time(of: text) == vector["idTime"]?.number, "\(vector.id)")
    }
  }

  @Test func idTime() throws {
    for vector in try Vectors.list("idTime", in: "ids.json") {
      let input = try vector.string("input")
      #expect(PeerstackID.time(of: input) == vector["idTime"]?.number, "\(vector.id)")
    }
  }

  @Test func newID() throws {
    for vector in try Vectors.list("newid", in: "ids.json") {
      let now = try #require(vector["now"]?.integer)
      let timePart = try vector.text("timePart")
      #expect(PeerstackID.timePart(now: now) == timePart)
      #expect(try vector.text("newid").hasPrefix(timePart))
      let made = PeerstackID.make(now: now)
      #expect(made.hasPrefix(timePart) && made.utf8.count == timePart.utf8.count + 15)
      #expect(try PeerstackID.isID(.text(made), now: now) == (timePart.utf8.count == 10))
      #expect(made != PeerstackID.make(now: now))
    }
  }
}
