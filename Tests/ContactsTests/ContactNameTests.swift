import Testing

@testable import Contacts

struct ContactNameTests {
  @Test(arguments: [
    "A", "Zoë", "Анна Петровна", "山田 太郎", "علی\u{200c}رضا", "क्\u{200d}ष", "👩\u{200d}👩\u{200d}👧 M", "❤\u{fe0f}",
    "O'Neil-Smith, Jr. (#2)",
    "e\u{301}\u{302}\u{303}\u{304}", "ก้อง",
  ])
  func namesOfPeopleAreTaken(_ text: String) throws {
    #expect(try ContactName(text).text == text)
  }

  @Test(arguments: [
    ("", 0), ("a\u{0}", 2), ("\u{1b}[31mred", 1), ("a\tb", 2), ("a\nb", 2), ("a\u{7f}", 2), ("a\u{9b}2J", 2),
    ("a\u{2028}b", 2),
    ("a\u{202e}b", 2), ("a\u{2066}b", 2), ("a\u{200f}b", 2), ("a\u{61c}b", 2), ("a\u{200b}b", 2), ("a\u{2060}b", 2),
    ("a\u{feff}b", 2), ("a\u{ad}b", 2), ("a\u{3164}b", 2), ("a\u{e0041}b", 2), ("a\u{e000}b", 2), ("a\u{fffe}b", 2),
    ("a\u{a0}b", 2), ("a\u{3000}b", 2), (" a", 1), ("a ", 2), ("a  b", 3), ("\u{200d}a", 1), ("a\u{200d}", 2),
    ("a \u{200d}b", 3), ("a\u{200d}\u{200d}b", 3), ("\u{301}a", 1), ("a \u{301}", 3),
    ("a\u{301}\u{301}\u{301}\u{301}\u{301}", 6),
    ("\u{fe0f}", 1), ("\u{200c} a", 1),
  ])
  func whatCouldHideOrMoveTextIsRefused(_ text: String, _ position: Int) {
    let fault = #expect(throws: ContactName.Fault.self) { try ContactName(text) }
    switch fault {
    case .unusableCharacter(_, let found)?, .strayNextToSpace(let found)?, .strayMark(let found)?:
      #expect(found == position)
    case .empty?: #expect(text.isEmpty)
    case .tooLong?, nil: Issue.record("\(String(describing: fault))")
    }
    #expect(fault.map { $0.description.utf8.allSatisfy { (0x20...0x7e).contains($0) } } == true)
  }

  @Test func lengthIsLimited() throws {
    #expect(try ContactName(String(repeating: "a", count: 64)).text.count == 64)
    #expect(throws: ContactName.Fault.tooLong(scalars: 65)) { try ContactName(String(repeating: "a", count: 65)) }
  }
}
