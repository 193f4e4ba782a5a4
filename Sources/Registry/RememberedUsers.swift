import PeerstackFormat

/// Users of one moment as memory has them, for an answer that is made of the texts of all their entries.
///
/// Nothing is copied: memory keeps what this refers to, and others go on with memory meanwhile. So it may be held for as long
/// as an answer is put together, and no longer.
public final class RememberedUsers: Sendable {
  /// What all users have together.
  struct Size: Sendable {
    var textBytes = 0
    var entries = 0
    var unclaimed = 0
  }

  /// Up to where it is complete.
  public let asOf: AsOf
  private let size: Size
  private let blocks: [UserBlock?]
  private let index: MemoryIndex
  private let shards: UInt32

  /// - Parameter shards: A bit for each shard that is to be told of the end.
  init(_ blocks: [UserBlock?], asOf: AsOf, _ size: Size, of index: MemoryIndex, shards: UInt32) {
    self.asOf = asOf
    self.size = size
    self.blocks = blocks
    self.index = index
    self.shards = shards
  }

  deinit { index.endReading(shards) }

  /// How many users were asked for.
  public var count: Int { blocks.count }
  /// How many of them nobody has claimed.
  public var unclaimedCount: Int { size.unclaimed }
  /// How many entries all have.
  public var entryCount: Int { size.entries }
  /// How many bytes the texts of all have.
  public var textByteCount: Int { size.textBytes }

  /// Bytes of the text of a user's entries, which are all it has: their JSON with commas between them. 0 where nobody has
  /// claimed the id.
  ///
  /// - Parameter place: Where the user stands among those asked for.
  public func textByteCount(at place: Int) -> Int { blocks[place].map { Int($0.textCount) } ?? 0 }

  /// Appends this text.
  public func appendText(at place: Int, to output: inout OutputSpan<UInt8>) {
    guard let block = blocks[place] else { return }
    block.text.withMemoryRebound(to: UInt8.self) { output.append(copying: $0.span) }
  }

  /// Says that the text will be asked for next.
  public func prefetchText(at place: Int) {
    guard place < blocks.count, let block = blocks[place] else { return }
    block.prefetch()
  }
}
