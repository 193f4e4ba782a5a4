import Cryptography
import PeerstackFormat
import Testing

@Suite struct WireTests {
  private func check(_ canonical: [UInt8], _ vector: JSONObject, _ side: String) throws {
    let expected = try #require(vector[side]?.object)
    #expect(canonical == expected["canonical"]?.jsonString?.bytes, "\(vector.id) \(side)")
    #expect(SHA256.hash(canonical).hex == expected["sha256"]?.string, "\(vector.id) \(side)")
    let isSenders = canonical == (try vector["sender"]?.object?.raw("canonical"))
    #expect(isSenders == expected["match"]?.bool, "\(vector.id) \(side)")
  }

  /// A receiver of ordinary JSON, and one that takes the library's wire for that.
  @Test(arguments: [("plainWire", "plainReceiver"), ("peerstackWire", "plainParseOfPeerstackWire")])
  func plainReceivers(wire: String, side: String) throws {
    for vector in try Vectors.list("vectors", in: "js-values.json") {
      guard let text = vector[wire]?.jsonString else {
        #expect(vector["\(wire)Error"] != nil, "\(vector.id)")
        continue
      }
      let value = try JSONValue.parseLenient(text.bytes)
      if vector["sender"]?.object?["canonical"] != nil {
        try check(CanonicalJSON.bytesWithoutSignature(of: value), vector, side)
      }
    }
  }

  @Test func peerstackReceiver() throws {
    for vector in try Vectors.list("vectors", in: "js-values.json") {
      guard let text = vector["peerstackWire"]?.jsonString else { continue }
      let receiver = try #require(vector["peerstackReceiver"]?.object)
      if text.string?.contains("__FUNCTION ") == true {
        // The library runs these; we never do.
        #expect(throws: PeerstackWire.Failure.code, "\(vector.id)") { try PeerstackWire.read(text.bytes) }
        continue
      }
      switch try? PeerstackWire.read(text.bytes) {
      case .value(let value):
        try check(CanonicalJSON.bytesWithoutSignature(of: value), vector, "peerstackReceiver")
      case .nothing: Issue.record("\(vector.id) is nothing")
      case nil: #expect(receiver["error"] != nil, "\(vector.id)")
      }
    }
  }

  /// Values that came from JSON, as the library's sender writes them.
  @Test func peerstackSender() throws {
    let tags: Set = ["baseline", "wire-collision", "wire-date", "wire-key"]
    for vector in try Vectors.list("vectors", in: "js-values.json") where tags.contains(try vector.text("tag")) {
      let value = try JSONValue.parseLenient(vector.raw("plainWire"))
      let wire = try? PeerstackWire.text(of: value)
      #expect(wire == vector["peerstackWire"]?.jsonString?.bytes, "\(vector.id)")
      #expect((wire == nil) == (vector["peerstackWireError"] != nil), "\(vector.id)")
    }
  }

  @Test func referencesThatGrowWithoutEndAreRefused() throws {
    // Each part names the one before twice: 2⁴⁰ values if they were all written out.
    var parts = [#"{"__this_ref":"__duplicate_ref_obj_0","x":1}"#]
    for level in 1...40 {
      let inner = "\"__duplicate_ref_obj_\(level - 1)\""
      parts.append(#"{"__this_ref":"__duplicate_ref_obj_\#(level)","a":\#(inner),"b":\#(inner)}"#)
    }
    let text = utf8("[" + parts.joined(separator: ",") + "]")
    #expect(throws: PeerstackWire.Failure.tooLarge) { try PeerstackWire.read(text) }
  }

  @Test(arguments: [
    (
      #"{"__this_ref":"a","x":{"__this_ref":"b","y":"__duplicate_ref_obj_1"},"z":"__duplicate_ref_obj_1"}"#,
      #"{"x":{"y":{}},"z":{}}"#
    ),
    (#"["__this_ref:",1]"#, "[1]"),
    (#"["__this_ref:r:s",1]"#, "[1]"),
    (#"{"__this_ref":0,"a":1}"#, #"{"__this_ref":0,"a":1}"#),
    (#"{"a":"__REGEXP /(/"}"#, #"{"a":{}}"#),
    (#""9999-12-31T24:00:00.000Z""#, #""+010000-01-01T00:00:00.000Z""#),
  ])
  func reading(wire: String, canonical: String) throws {
    guard case .value(let value) = try PeerstackWire.read(utf8(wire)) else {
      Issue.record("nothing was read")
      return
    }
    #expect(String(decoding: CanonicalJSON.bytes(of: value), as: UTF8.self) == canonical)
  }

  @Test(arguments: [
    (#"{"a":"__FUNCTION return 1"}"#, PeerstackWire.Failure.code),
    (#"["__this_ref:r","r",{"__this_ref":"r"}]"#, .mismatchedReference),
    (#"{"__this_ref":"__duplicate_ref_obj_1","self":"__duplicate_ref_obj_1"}"#, .circular),
    (#"{"__this_ref":"r","x":{"__this_ref":"r","y":1}}"#, .circular),
    (#"{"hasOwnProperty":0,"a":1}"#, .hasOwnProperty),
    (#"{"a":"__REGEXP /a/gg"}"#, .regularExpression),
    (#"{"__this_ref":{"toString":1}}"#, .unusableReference),
    ("[", .syntax(.unexpectedEnd(offset: 1))),
  ])
  func refusals(wire: String, failure: PeerstackWire.Failure) {
    #expect(throws: failure) { try PeerstackWire.read(utf8(wire)) }
  }
}
