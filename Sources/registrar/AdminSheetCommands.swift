import ArgumentParser
import KeyRecords

/// Something that admins sign in a sheet, one after the other, and hand in.
protocol AdminSigned {
  static var type: ObjectType { get }
  /// What people call it.
  static var word: String { get }
}

enum SignedPolicy: AdminSigned {
  static let type = ObjectType.policy
  static let word = "policy"
}

enum SignedAdjudication: AdminSigned {
  static let type = ObjectType.adjudication
  static let word = "adjudication"
}

/// `sign`: the second of three steps, on the machine where a key is.
struct SignSheet<Kind: AdminSigned>: ParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      commandName: "sign",
      abstract: "Sign a drafted \(Kind.word) with admin keys. No registrar is needed; the file is written anew.")
  }

  @Argument(help: "The file that `draft` printed, with what others have signed.") var file: String
  @OptionGroup var keys: AdminKeyOptions
  @Flag(help: "Only show what would be signed, and by whom it is.") var show = false

  func run() throws {
    if show { return try AdminSheet.read(file, as: Kind.type).show() }
    try AdminSheet.sign(file, as: Kind.type, with: keys.signers())
  }
}

/// `post`: the last step.
struct PostSheet<Kind: AdminSigned>: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(commandName: "post", abstract: "Hand in a signed \(Kind.word), and print its entry.")
  }

  @Argument(help: "The signed file; - for standard input.") var file: String
  @OptionGroup var access: AccessOptions

  func run() async throws {
    let sheet = try AdminSheet.read(file, as: Kind.type)
    try await access.withApp(sheet.app) { try await sheet.post(to: $0) }
  }
}
