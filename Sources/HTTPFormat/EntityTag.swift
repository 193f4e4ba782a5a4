/// Conditional reads (RFC 9110 §13.1.2).
extension RequestHead {
  /// Whether `If-None-Match` names this entity tag, or is `*`: the answer is then 304 (for GET and HEAD).
  ///
  /// Tags are compared weakly, as GET demands: `W/"a"` names `"a"`.
  ///
  /// - Parameter tag: The opaque tag with its quotes, without `W/`.
  public func ifNoneMatch(names tag: some Collection<UInt8>) -> Bool {
    let weakMark = Array("W/".utf8)
    for field in fieldRanges where bytes.span.equals("if-none-match", at: field.name) {
      // A comma inside a tag would split it, and it would match nothing: no tag of ours has one.
      var elements = ListElements(field.value)
      while let element = elements.next(bytes.span) {
        let text = bytes[element.indices]
        if text.elementsEqual([ASCII.asterisk]) { return true }
        if (text.starts(with: weakMark) ? text.dropFirst(2) : text).elementsEqual(tag) { return true }
      }
    }
    return false
  }
}
