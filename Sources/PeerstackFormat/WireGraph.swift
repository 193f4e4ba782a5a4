/// What a wire text stands for, before it is a tree: parts may be named several times.
struct WireGraph {
  private enum Node {
    case undefined
    case leaf(JSONValue)
    case array([Int])
    case object(names: [JSONString: Int], values: [Int])
  }

  private struct Frame {
    let node: Int
    /// Names of an object's members; empty for an array.
    let names: [JSONString]
    let values: [JSONValue]
    var next = 0
  }

  private var nodes: [Node] = []
  private var references: [JSONString: Int] = [:]
  private var frames: [Frame] = []

  /// Reads a parsed wire text, with a stack of its own. Gives the number of its node.
  mutating func read(_ value: JSONValue) throws(PeerstackWire.Failure) -> Int {
    let root = try begin(value)
    while let frame = frames.last {
      guard frame.next < frame.values.count else {
        frames.removeLast()
        // As in JavaScript a container is assigned when it is complete: it may have changed what it is put into.
        if let parent = frames.last { try assign(frame.node, to: parent, at: parent.next - 1) }
        continue
      }
      let depth = frames.count
      frames[depth - 1].next += 1
      let child = try begin(frame.values[frame.next])
      if frames.count == depth { try assign(child, to: frame, at: frame.next) }
    }
    return root
  }

  private mutating func add(_ node: Node) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }

  private mutating func begin(_ value: JSONValue) throws(PeerstackWire.Failure) -> Int {
    switch value {
    case .string(let string): return try text(string)
    case .array(let elements): return try beginArray(elements)
    case .object(let object): return try beginObject(object)
    default: return add(.leaf(value))
    }
  }

  private mutating func text(_ string: JSONString) throws(PeerstackWire.Failure) -> Int {
    switch try WireText(string) {
    case .plain: return add(.leaf(.string(string)))
    case .undefined: return add(.undefined)
    case .value(let value): return add(.leaf(value))
    case .reference(let isObject):
      if let known = references[string] { return known }
      let node = add(isObject ? .object(names: [:], values: []) : .array([]))
      references[string] = node
      return node
    }
  }

  private mutating func beginArray(_ elements: [JSONValue]) throws(PeerstackWire.Failure) -> Int {
    var elements = elements[...]
    var reference: JSONString?
    if case .string(let first)? = elements.first, let name = WireText.ownReference(first) {
      reference = name == "" ? nil : name
      elements = elements.dropFirst()
    }
    let node = try define(reference, as: .array([]))
    frames.append(Frame(node: node, names: [], values: Array(elements)))
    return node
  }

  private mutating func beginObject(_ object: JSONObject) throws(PeerstackWire.Failure) -> Int {
    var members = object.membersInJavaScriptOrder
    var reference: JSONString?
    if let own = object["__this_ref"], own.isTruthy {
      do {
        reference = try JavaScriptText.text(of: own)
      } catch {
        throw .unusableReference
      }
      members.removeAll { $0.name == "__this_ref" }
    }
    guard !members.contains(where: { $0.name == "hasOwnProperty" }) else { throw .hasOwnProperty }
    let node = try define(reference, as: .object(names: [:], values: []))
    frames.append(Frame(node: node, names: members.map(\.name), values: members.map(\.value)))
    return node
  }

  /// A new node, or the one that a reference has named before.
  private mutating func define(_ reference: JSONString?, as empty: Node) throws(PeerstackWire.Failure) -> Int {
    guard let reference, let known = references[reference] else {
      let node = add(empty)
      if let reference { references[reference] = node }
      return node
    }
    switch (nodes[known], empty) {
    case (.array, .array), (.object, .object): return known
    default: throw .mismatchedReference
    }
  }

  private mutating func assign(_ child: Int, to frame: Frame, at place: Int) throws(PeerstackWire.Failure) {
    switch nodes[frame.node] {
    case .array(var children):
      // A second definition writes over the elements of the first, index by index.
      nodes[frame.node] = .undefined
      if place < children.count { children[place] = child } else { children.append(child) }
      nodes[frame.node] = .array(children)
    case .object(var names, var values):
      let name = WireText.memberName(frame.names[place])
      // As in JavaScript this sets the prototype, not a member.
      guard name != "__proto__" else { return }
      nodes[frame.node] = .undefined
      if let known = names[name] {
        values[known] = child
      } else {
        names[name] = values.count
        values.append(child)
      }
      nodes[frame.node] = .object(names: names, values: values)
    case .undefined, .leaf: throw .mismatchedReference
    }
  }
}

extension WireGraph {
  fileprivate struct Expansion {
    let node: Int
    let names: [JSONString]
    let children: [Int]
    var next = 0
    var values: [JSONValue] = []
    var writtenNames: [JSONString] = []
  }

  /// The tree of a node. Each part stands wherever it is named; a part inside itself is an error, and so is a tree
  /// that grows too large.
  func expanded(_ root: Int, maxDepth: Int) throws(PeerstackWire.Failure) -> PeerstackWire.Reading {
    var stack: [Expansion] = []
    var open: Set<Int> = []
    var count = 0
    var node = root
    while true {
      count += 1
      guard count <= nodes.count + PeerstackWire.maxRepeatedValues, stack.count <= maxDepth else { throw .tooLarge }
      var done: JSONValue??
      if let expansion = expansion(of: node) {
        guard open.insert(node).inserted else { throw .circular }
        stack.append(expansion)
      } else {
        done = .some(scalar(node))
      }
      // Climb while containers are complete, then go on with the next child.
      while true {
        if let value = done {
          guard !stack.isEmpty else { return value.map { .value($0) } ?? .nothing }
          stack[stack.count - 1].take(value)
          done = nil
        }
        let top = stack.count - 1
        guard stack[top].next == stack[top].children.count else {
          node = stack[top].children[stack[top].next]
          break
        }
        let complete = stack.removeLast()
        open.remove(complete.node)
        done = .some(complete.value(isObject: isObject(complete.node)))
      }
    }
  }

  private func isObject(_ node: Int) -> Bool {
    if case .object = nodes[node] { true } else { false }
  }

  private func scalar(_ node: Int) -> JSONValue? {
    if case .leaf(let value) = nodes[node] { value } else { nil }
  }

  private func expansion(of node: Int) -> Expansion? {
    switch nodes[node] {
    case .array(let children): return Expansion(node: node, names: [], children: children)
    case .object(let names, let values):
      let sorted = names.sorted { $0.value < $1.value }.map(\.key)
      return Expansion(node: node, names: sorted, children: values)
    case .undefined, .leaf: return nil
    }
  }
}

extension WireGraph.Expansion {
  /// Takes the next child's value; nil is `undefined`, which is absent in objects and `null` in arrays.
  fileprivate mutating func take(_ value: JSONValue?) {
    if names.isEmpty {
      values.append(value ?? .null)
    } else if let value {
      writtenNames.append(names[next])
      values.append(value)
    }
    next += 1
  }

  fileprivate func value(isObject: Bool) -> JSONValue {
    isObject ? .object(JSONObject(zip(writtenNames, values).map { ($0, $1) })) : .array(values)
  }
}
