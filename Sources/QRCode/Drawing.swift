extension QRCode {
  /// Light modules around a code, without which readers do not find it.
  public static let quietZone = 4

  /// How a code is drawn with characters.
  public enum Style: Sendable, Hashable {
    /// Light modules are blocks: for light letters on a dark ground.
    case plain
    /// With the terminal's own black and white, whatever its letters and ground are.
    case colored
  }

  /// Columns of a drawing.
  public var columns: Int { size + 2 * Self.quietZone }

  /// The code with its quiet zone, as lines of half blocks: two rows of modules each.
  public func lines(_ style: Style) -> [String] {
    let range = -Self.quietZone..<size + Self.quietZone
    return stride(from: range.lowerBound, to: range.upperBound, by: 2).map { row in
      let line = String(String.UnicodeScalarView(range.map { block(row, $0, in: range) }))
      return style == .plain ? line : "\u{1b}[97;40m\(line)\u{1b}[0m"
    }
  }

  /// A module and the one below it; below the last row of an odd number there is nothing to draw.
  private func block(_ row: Int, _ column: Int, in range: Range<Int>) -> Unicode.Scalar {
    switch (self[row, column], range.contains(row + 1) ? self[row + 1, column] : true) {
    case (false, false): "█"
    case (false, true): "▀"
    case (true, false): "▄"
    case (true, true): " "
    }
  }
}
