import PeerstackFormat
import Testing

/// The texts are copied from the source where they can be; they must be those that are made of the value.
@Suite struct StrictJSONTests {
  @Test(arguments: [
    #"{"a":1,"signature":"s","b":[true,false,null]}"#, #"{"signature":"s"}"#, "{}", "[]", "7", #""signature""#,
    #" { "b" : -12 , "a" : { "signature" : "kept" , "c" : [ ] } , "signature" : { "x" : 1 } } "#,
    #"{"z":"\u00e9\n\/","a":"\ud83d\ude00","signatur\u0065":"s"}"#, #"{"a":"é😀","é":9007199254740991,"aé":0}"#,
    #"{"signature":1,"signaturf":2,"signaturd":3}"#,
  ])
  func texts(text: String) throws {
    let json = try StrictJSON(Array(text.utf8))
    let value = try JSONValue.parseStrict(Array(text.utf8))
    #expect(json.value == value)
    #expect(json.canonical == CanonicalJSON.bytes(of: value))
    #expect(json.canonicalWithoutSignature == CanonicalJSON.bytesWithoutSignature(of: value))
    let made = StrictJSON(value)
    #expect(made.canonical == json.canonical)
    #expect(made.canonicalWithoutSignature == json.canonicalWithoutSignature)
  }

  @Test(arguments: ["", "{", #"{"a":1,"a":1}"#, "1.0", "-0", #""\ud800""#, #"{"a":1} x"#])
  func refused(text: String) {
    #expect(throws: JSONSyntaxError.self) { try StrictJSON(Array(text.utf8)) }
  }
}
