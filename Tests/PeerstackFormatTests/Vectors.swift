import Cryptography
import Foundation
import PeerstackFormat
import Testing

/// The files in Tests/Vectors/peerstack-vectors.
enum Vectors {
  static func bytes(_ path: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: folder.appending(path: "Vectors/peerstack-vectors/\(path)")))
  }

  static func file(_ path: String) throws -> JSONObject {
    try #require(JSONValue.parseLenient(try bytes(path)).object)
  }

  /// The vectors of one list of a file. An empty or missing list is a failure, not a pass.
  static func list(_ name: String, in path: String) throws -> [JSONObject] {
    let list = try #require(try file(path)[name]?.array)
    try #require(!list.isEmpty)
    return try list.map { try #require($0.object) }
  }
}

extension JSONObject {
  func text(_ name: String) throws -> String {
    try #require(self[name]?.string, "\(name) in \(id)")
  }

  func string(_ name: String) throws -> JSONString {
    try #require(self[name]?.jsonString, "\(name) in \(id)")
  }

  func raw(_ name: String) throws -> [UInt8] {
    try string(name).bytes
  }

  func hexBytes(_ name: String) throws -> [UInt8] {
    let bytes = Hex.decode(try text(name))
    return try #require(bytes, "\(name) in \(id)")
  }

  var id: String { self["id"]?.string ?? "?" }

  var tags: [String] { self["tags"]?.array?.compactMap(\.string) ?? [] }
}

func hex(_ bytes: [UInt8]) -> String {
  Hex.encode(bytes)
}

func utf8(_ text: String) -> [UInt8] {
  Array(text.utf8)
}
