import Glibc

/// Sends on a thread of its own, while the test reads from the same connection.
///
/// `@unchecked Sendable`: sending uses the descriptor of the client alone.
final class TestSender: @unchecked Sendable {
  private let client: TestClient
  private let bytes: [UInt8]
  private var thread = pthread_t()

  init(_ client: TestClient, _ bytes: [UInt8]) {
    self.client = client
    self.bytes = bytes
  }

  func start() {
    pthread_create(&thread, nil, senderThread, Unmanaged.passRetained(self).toOpaque())
  }

  func join() { pthread_join(thread, nil) }

  fileprivate func run() { try? client.send(bytes) }
}

private let senderThread: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
  if let argument { Unmanaged<TestSender>.fromOpaque(argument).takeRetainedValue().run() }
  return nil
}
