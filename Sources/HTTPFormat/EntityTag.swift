/// Conditional reads (RFC 9110 §13.1.2).
extension RequestHead {
  /// Whether `If-None-Match` names this entity tag, or is `*`: the answer is then 304 (for GET and HEAD).
  ///
  /// Tags are compared weakly, as GET demands: `W/"a"` names `"a"`.
  ///
  /// - Parameter tag: The opaque tag with its quotes, without `W/`.
  public func ifNoneMatch(names tag: [UInt8]) -> Bool {
    for field in fieldRanges where bytes.span.equals("if-none-match", at: field.name) {
      // A comma inside a tag would split it, and it would match nothing: no tag of ours has one.
      var elements = ListElements(field.value)
      while let element = elements.next(bytes.span) {
        if bytes.span.equals("*", at: element) || bytes.span.equals(tag.span, at: element.indices) { return true }
        let isWeak = element.count > 2 && bytes[element.indices].starts(with: EntityTag.weakMark)
        if isWeak, bytes.span.equals(tag.span, at: element.indices.dropFirst(2)) { return true }
      }
    }
    return false
  }
}

private enum EntityTag {
  /// What stands before the quotes of a weak tag; it is case-sensitive.
  static let weakMark = Array("W/".utf8)
}
