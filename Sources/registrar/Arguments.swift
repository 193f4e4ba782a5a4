import ArgumentParser
import Cryptography
import KeyRecords
import RegistryAPI

/// An app id on the command line.
struct AppArgument: ExpressibleByArgument {
  let app: AppID

  init(app: AppID) { self.app = app }

  init?(argument: String) {
    guard let app = AppID(argument) else { return nil }
    self.app = app
  }
}

/// A user id on the command line.
struct UserArgument: ExpressibleByArgument {
  let user: UserID

  init?(argument: String) {
    guard let user = UserID(argument) else { return nil }
    self.user = user
  }
}

/// A record hash on the command line.
struct HashArgument: ExpressibleByArgument {
  let hash: RecordHash

  init?(argument: String) {
    guard let hash = RecordHash(argument) else { return nil }
    self.hash = hash
  }
}

/// A public key in base64 on the command line.
struct KeyArgument: ExpressibleByArgument {
  let key: VerifyingKey

  init?(argument: String) {
    guard let bytes = Base64.decodeCanonical(argument), let key = VerifyingKey(bytes), key.isValidPoint else {
      return nil
    }
    self.key = key
  }
}

/// A span of time on the command line: a number with a unit, as in `30d`, `12h`, `90m`, `45s`, `0`.
struct SpanArgument: ExpressibleByArgument {
  let milliseconds: Milliseconds

  init?(argument: String) {
    guard let span = TimeWords.span(written: argument) else { return nil }
    milliseconds = span
  }
}
