/// Texts from elsewhere, for terminals.
public enum PrintableText {
  /// Longest text, in Unicode scalar values.
  public static let longest = 500

  /// A text that cannot steer a terminal: white space becomes spaces, control and formatting characters are left out, and
  /// what is too long is cut off.
  public static func line(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(longest) {
      if scalar.properties.isWhitespace {
        scalars.append(" ")
      } else if scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format {
        scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
