import HTTPFormat

/// What a parser said, in a form that can be compared.
enum Verdict: Hashable, CustomStringConvertible {
  case incomplete
  case fault(FramingFault)
  case head(String, byteCount: Int)

  var description: String {
    switch self {
    case .incomplete: "incomplete"
    case .fault(let fault): "\(fault)"
    case .head(let text, let byteCount): "\(text) in \(byteCount) bytes"
    }
  }

  init(_ parse: HeadParse) {
    switch parse {
    case .incomplete: self = .incomplete
    case .fault(let fault): self = .fault(fault)
    case .complete(let head, let byteCount): self = .head(summary(head), byteCount: byteCount)
    }
  }
}

/// Everything a head says, in one line.
func summary(_ head: RequestHead) -> String {
  let flags = [
    head.keepAlive ? "keep" : "close", head.expectsContinue ? "continue" : nil, head.isUpgrade ? "upgrade" : nil,
    head.isWebSocketUpgrade ? "websocket" : nil,
  ]
  let fields = head.fields.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
  return
    "\(head.method.name) \(head.rawTarget) [\(head.path)|\(head.query ?? "nil")|\(head.target)] 1.\(head.minorVersion)"
    + " host=\(head.host ?? "nil") length=\(head.contentLength.map(String.init) ?? "nil")"
    + " \(flags.compactMap { $0 }.joined(separator: ","))\n\(fields)"
}

/// One call with all bytes.
func parse(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits()) -> HeadParse {
  var parser = RequestParser(limits: limits)
  return parser.parse(bytes.span)
}

func parse(_ text: String, limits: HTTPLimits = HTTPLimits()) -> HeadParse {
  parse(Array(text.utf8), limits: limits)
}

/// The head, or nil for anything but a whole one.
func head(_ text: String) -> RequestHead? {
  guard case .complete(let head, _) = parse(text) else { return nil }
  return head
}

func fault(_ text: String, limits: HTTPLimits = HTTPLimits()) -> FramingFault? {
  guard case .fault(let fault) = parse(text, limits: limits) else { return nil }
  return fault
}

/// The verdict when the bytes arrive in pieces that end at `cuts`; nothing is given to the parser after its verdict.
func verdict(_ bytes: [UInt8], cuts: some Sequence<Int>, limits: HTTPLimits = HTTPLimits()) -> Verdict {
  var parser = RequestParser(limits: limits)
  for cut in cuts {
    let early = Verdict(parser.parse(bytes.span.extracting(0..<cut)))
    if early != .incomplete { return early }
  }
  return Verdict(parser.parse(bytes.span))
}

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
