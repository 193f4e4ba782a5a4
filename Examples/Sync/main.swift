// What a syncing app does, with lines of standard input for what peers send: `sync-example REGISTRAR APP CACHE-FILE`.
// An empty line ends a batch. Prints the objects that may be used, then those that could be judged later, until it is
// stopped.

import Glibc
import KeyRecords
import RegistryConnection

guard CommandLine.arguments.count == 4, let app = AppID(CommandLine.arguments[2]) else {
  print("usage: sync-example REGISTRAR APP CACHE-FILE < objects")
  exit(64)
}
let network = try RegistryNetwork()
let door = try SyncDoor(
  app: app, registrar: try RegistrarAddress(CommandLine.arguments[1]), network: network, cache: CommandLine.arguments[3]
)

func say(_ line: String) {
  print(line)
  fflush(nil)
}

func show(_ object: [UInt8]) { say(String(decoding: object, as: UTF8.self)) }

var batch: [[UInt8]] = []
while let line = readLine() {
  if !line.isEmpty { batch.append(Array(line.utf8)) }
  guard line.isEmpty else { continue }
  try await door.admit(batch).forEach(show)
  say("end of batch")
  batch = []
}
try await door.run(show)
