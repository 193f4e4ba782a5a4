import Foundation
import Glibc
import PostgresCluster
import Synchronization
import Testing

/// Real clusters in throw-away folders.
@Suite(.serialized) struct PrivateClusterTests {
  private func withFolder(_ name: String = "", _ body: (ClusterConfiguration) throws -> Void) throws {
    let root = "/tmp/postgres-cluster-tests-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    chmod(root, 0o755)
    var configuration = ClusterConfiguration(directory: name.isEmpty ? "\(root)/data" : "\(root)/\(name)")
    configuration.settings = [("fsync", "off"), ("shared_buffers", "16MB")]
    defer {
      let last = PrivateCluster(configuration)
      if (try? last.start(supervised: false)) != nil { _ = try? last.stop() }
      try? FileManager.default.removeItem(atPath: root)
    }
    try body(configuration)
  }

  /// Runs SQL with psql; what it printed.
  private func psql(_ connection: ClusterConnection, _ sql: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/psql")
    process.arguments = ["-X", "-A", "-t", "-d", connection.conninfo, "-c", sql]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func isAlive(_ processID: Int32) -> Bool {
    // In its own words: a zombie is not alive.
    guard let stat = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8) else { return false }
    return !stat.contains(") Z")
  }

  private func waitUntilGone(_ processID: Int32) {
    while isAlive(processID) { usleep(5000) }
  }

  @Test func makesAClusterAndStopsIt() throws {
    try withFolder { configuration in
      let cluster = PrivateCluster(configuration)
      let connection = try cluster.start()
      #expect(connection.wasInitialized && !connection.wasAdopted)
      #expect(try psql(connection, "show data_checksums") == "on")
      #expect(
        try psql(
          connection,
          "select pg_encoding_to_char(encoding), datcollate from pg_database where datname = current_database()")
          == "UTF8|C")
      #expect(try psql(connection, "show listen_addresses") == "")
      var status = stat()
      #expect(stat(connection.socketDirectory, &status) == 0 && status.st_mode & 0o777 == 0o700)
      #expect(try cluster.stop() == .stopped)
      #expect(!isAlive(connection.processID))
      #expect(try cluster.stop() == .wasNotStarted)

      let again = try cluster.start()
      #expect(!again.wasInitialized && !again.wasAdopted)
      #expect(try cluster.stop() == .stopped)
    }
  }

  @Test func keepsFsyncOnUnlessTold() throws {
    try withFolder { configuration in
      var durable = configuration
      durable.settings = []
      let cluster = PrivateCluster(durable)
      let connection = try cluster.start()
      #expect(try psql(connection, "show fsync") == "on")
      #expect(try psql(connection, "show synchronous_commit") == "on")
      try cluster.stop()
    }
  }

  @Test func adoptsWhatALostOwnerLeft() throws {
    try withFolder { configuration in
      let first: ClusterConnection
      do {
        let lost = PrivateCluster(configuration)
        first = try lost.start()
      }
      #expect(isAlive(first.processID))
      let cluster = PrivateCluster(configuration)
      let second = try cluster.start()
      #expect(second.wasAdopted)
      #expect(second.processID == first.processID)
      #expect(second.conninfo == first.conninfo)
      // Also the one who adopted it can stop it.
      while try cluster.stop() == .leftToOthers { _ = try cluster.start() }
      #expect(!isAlive(first.processID))
    }
  }

  @Test func theLastUserStopsIt() throws {
    try withFolder { configuration in
      let server = PrivateCluster(configuration)
      let command = PrivateCluster(configuration)
      let connection = try server.start()
      let beside = try command.start(supervised: false)
      #expect(beside.wasAdopted)
      #expect(try command.stop() == .leftToOthers)
      #expect(isAlive(connection.processID))
      _ = try command.start(supervised: false)
      #expect(try server.stop() == .leftToOthers)
      #expect(try psql(connection, "select 1") == "1")
      #expect(try command.stop() == .stopped)
    }
  }

  @Test func recoversAfterTheDeathOfPostgres() throws {
    try withFolder { configuration in
      let cluster = PrivateCluster(configuration)
      let connection = try cluster.start(supervised: false)
      _ = try psql(connection, "create table t as select 42 as n")
      kill(connection.processID, SIGKILL)
      waitUntilGone(connection.processID)
      let after = PrivateCluster(configuration)
      let recovered = try after.start(supervised: false)
      #expect(!recovered.wasAdopted && !recovered.wasInitialized)
      #expect(try psql(recovered, "select n from t") == "42")
      #expect(try after.stop() == .leftToOthers)
      #expect(try cluster.stop() == .stopped)
    }
  }

  @Test func supervisionStartsItAgain() throws {
    try withFolder { configuration in
      let events = Mutex<[ClusterEvent]>([])
      let restarted = DispatchSemaphore(value: 0)
      let cluster = PrivateCluster(configuration) { event in
        events.withLock { $0.append(event) }
        if case .restarted = event { restarted.signal() }
      }
      let connection = try cluster.start()
      _ = try psql(connection, "create table t as select 42 as n")
      for _ in 0..<3 {
        let postmaster = try psql(connection, "select pg_catalog.split_part(pg_read_file('postmaster.pid'), E'\\n', 1)")
        kill(try #require(Int32(postmaster)), SIGKILL)
        #expect(restarted.wait(timeout: .now() + 60) == .success)
        #expect(try psql(connection, "select n from t") == "42")
      }
      #expect(try cluster.stop() == .stopped)
      let seen = events.withLock { $0 }
      #expect(seen.count { if case .died = $0 { true } else { false } } == 3)
      #expect(seen.count { if case .restarted = $0 { true } else { false } } == 3)
    }
  }

  @Test func aLeftOverFileThatNamesAnotherProcessIsNotBelieved() throws {
    try withFolder { configuration in
      let cluster = PrivateCluster(configuration)
      _ = try cluster.start(supervised: false)
      #expect(try cluster.stop() == .stopped)
      let file = "\(configuration.directory)/postgres/postmaster.pid"
      let innocent = Process()
      innocent.executableURL = URL(fileURLWithPath: "/bin/sleep")
      innocent.arguments = ["600"]
      innocent.standardOutput = FileHandle.nullDevice
      innocent.standardError = FileHandle.nullDevice
      try innocent.run()
      defer { kill(innocent.processIdentifier, SIGKILL) }
      let content = "\(innocent.processIdentifier)\n\(configuration.directory)/postgres\n0\n5432\n/tmp\n\n\nready   \n"
      try content.write(toFile: file, atomically: false, encoding: .utf8)
      let connection = try cluster.start()
      #expect(!connection.wasAdopted)
      #expect(isAlive(innocent.processIdentifier))
      #expect(try cluster.stop() == .stopped)
    }
  }

  @Test func servesADeepFolder() throws {
    let deep = (0..<6).map { "a-rather-long-name-\($0)" }.joined(separator: "/")
    try withFolder("\(deep)/with, space and 'quote'") { configuration in
      let cluster = PrivateCluster(configuration)
      let connection = try cluster.start()
      #expect("\(connection.socketDirectory)/.s.PGSQL.5432".utf8.count <= 107)
      #expect(try psql(connection, "select 1") == "1")
      #expect(try cluster.stop() == .stopped)
    }
  }

  @Test func startersAtOnceAgree() async throws {
    let root = "/tmp/postgres-cluster-tests-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    var configuration = ClusterConfiguration(directory: root)
    configuration.settings = [("fsync", "off"), ("shared_buffers", "16MB")]
    let settled = configuration
    let clusters = (0..<4).map { _ in PrivateCluster(settled) }
    let connections = await withTaskGroup(of: Result<ClusterConnection, any Error>.self) { group in
      for cluster in clusters {
        group.addTask {
          await withCheckedContinuation { continuation in
            Thread.detachNewThread {
              continuation.resume(returning: Result { try cluster.start() as ClusterConnection })
            }
          }
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    let started = try connections.map { try $0.get() }
    #expect(started.count { $0.wasInitialized } == 1)
    #expect(started.count { !$0.wasAdopted } == 1)
    #expect(Set(started.map(\.processID)).count == 1)
    let outcomes = try clusters.map { try $0.stop() }
    #expect(outcomes == [.leftToOthers, .leftToOthers, .leftToOthers, .stopped])
  }

  @Test func aHalfMadeClusterIsMadeAnew() throws {
    try withFolder { configuration in
      let unfinished = "\(configuration.directory)/postgres.unfinished"
      try FileManager.default.createDirectory(atPath: unfinished, withIntermediateDirectories: true)
      try "15".write(toFile: "\(unfinished)/PG_VERSION", atomically: false, encoding: .utf8)
      try "".write(toFile: "\(configuration.directory)/postgres.start-lock", atomically: false, encoding: .utf8)
      let cluster = PrivateCluster(configuration)
      let connection = try cluster.start()
      #expect(connection.wasInitialized)
      #expect(!FileManager.default.fileExists(atPath: unfinished))
      try cluster.stop()
    }
  }

  @Test func errorsSayWhatToDo() throws {
    try withFolder { configuration in
      var wrong = configuration
      wrong.binaryDirectory = "/nowhere"
      let error = #expect(throws: ClusterError.self) { try PrivateCluster(wrong).start() }
      #expect(error?.description.contains("install") == true)
    }
    try withFolder { configuration in
      let cluster = PrivateCluster(configuration)
      try cluster.start()
      try cluster.stop()
      try "99".write(toFile: "\(configuration.directory)/postgres/PG_VERSION", atomically: false, encoding: .utf8)
      let error = #expect(throws: ClusterError.self) { try cluster.start() }
      #expect(error?.description.contains("PostgreSQL 99") == true)
      try "15".write(toFile: "\(configuration.directory)/postgres/PG_VERSION", atomically: false, encoding: .utf8)
    }
  }

  @Test(.enabled(if: geteuid() == 0)) func aFolderThatPostgresCannotReachIsNamed() throws {
    try withFolder("closed/data") { configuration in
      let closed = URL(fileURLWithPath: configuration.directory).deletingLastPathComponent().path
      try FileManager.default.createDirectory(atPath: closed, withIntermediateDirectories: true)
      chmod(closed, 0o700)
      let error = #expect(throws: ClusterError.self) { try PrivateCluster(configuration).start() }
      #expect(error?.description.contains(closed) == true)
      chmod(closed, 0o755)
    }
  }

  @Test(.enabled(if: geteuid() == 0)) func anEmptyPrivateFolderIsOpenedForPostgres() throws {
    try withFolder { configuration in
      try FileManager.default.createDirectory(atPath: configuration.directory, withIntermediateDirectories: true)
      chmod(configuration.directory, 0o700)
      let cluster = PrivateCluster(configuration)
      try cluster.start()
      var status = stat()
      #expect(stat(configuration.directory, &status) == 0 && status.st_mode & 0o007 == 0)
      try cluster.stop()
    }
  }

  @Test func aCommandStartsItForTheMoment() async throws {
    let root = "/tmp/postgres-cluster-tests-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: root) }
    var configuration = ClusterConfiguration(directory: root)
    configuration.settings = [("fsync", "off"), ("shared_buffers", "16MB")]
    let connection = try await PrivateCluster.withCluster(configuration) { connection in
      let answer = try psql(connection, "select 1")
      #expect(answer == "1")
      return connection
    }
    #expect(!isAlive(connection.processID))
  }
}
