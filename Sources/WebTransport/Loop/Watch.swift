import CWebSockets
import Glibc

extension EventLoop {
  /// A descriptor that the loop watches.
  public final class Watch {
    private let loop: EventLoop
    /// The descriptor that is watched, which closes with the watch; -1 from then on, as its number may be another's.
    private(set) var fileDescriptor: Int32
    /// libwebsockets' connection; nil when the watch has ended.
    private var connection: OpaquePointer?
    private var onReadable: (() -> Void)?
    private var onWritable: (() -> Void)?
    private var isCalledBack = false
    private var isCancelled = false
    private var wantsReadable = true
    private var wantsWritable = false

    fileprivate init(
      _ loop: EventLoop, owning descriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
    ) throws(TransportError) {
      self.loop = loop
      self.fileDescriptor = descriptor
      self.onReadable = onReadable
      self.onWritable = onWritable
      // libwebsockets would leak what it cannot put into its tables.
      guard descriptor < loop.descriptorLimit else { throw TransportError("watch a descriptor", code: EMFILE) }
      var description = lws_adopt_desc_t()
      description.vh = loop.watchHost
      description.type = LWS_ADOPT_RAW_FILE_DESC
      description.fd = lws_sock_file_fd_type(filefd: descriptor)
      let opaque = Unmanaged.passRetained(self)
      description.opaque = opaque.toOpaque()
      connection = lws_adopt_descriptor_vhost_via_info(&description)
      guard connection != nil else {
        opaque.release()
        throw TransportError("watch a descriptor", reason: "libwebsockets refused it")
      }
    }

    /// Asks for one call of `onWritable`, as soon as the descriptor takes bytes. On the loop only.
    public func requestWritable() {
      precondition(loop.isCurrent)
      guard let connection, !isCancelled else { return }
      wantsWritable = true
      if isCalledBack {
        // libwebsockets takes the request back when it returns from its callback, so it is repeated afterwards.
        loop.writableRequests.append(self)
      } else {
        lws_callback_on_writable(connection)
      }
    }

    /// Ends the watch; no callback comes afterwards. On the loop only.
    public func cancel() {
      precondition(loop.isCurrent)
      guard !isCancelled else { return }
      isCancelled = true
      onReadable = nil
      onWritable = nil
      // Inside of its own callback the connection ends by the callback's result.
      if let connection, !isCalledBack { lws_set_timeout(connection, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC) }
    }

    /// Whether `onReadable` is called; it is at first.
    func setReadable(_ isWanted: Bool) {
      guard let connection, !isCancelled, wantsReadable != isWanted else { return }
      wantsReadable = isWanted
      lws_rx_flow_control(connection, isWanted ? 1 : 0)
    }

    fileprivate func readable() -> Int32 {
      guard wantsReadable else { return 0 }
      return call(onReadable)
    }

    fileprivate func writable() -> Int32 {
      guard wantsWritable else { return 0 }
      wantsWritable = false
      return call(onWritable)
    }

    private func call(_ work: (() -> Void)?) -> Int32 {
      isCalledBack = true
      work?()
      isCalledBack = false
      return isCancelled ? -1 : 0
    }

    /// libwebsockets gives the descriptor up, after `cancel` or because it is broken. In that case its owner is called
    /// once more, to read what is left or the reason; and if it has not cancelled then, again without a descriptor, so
    /// that every read and write of it fails.
    fileprivate func ended() {
      connection = nil
      defer { fileDescriptor = -1 }
      guard !isCancelled, !loop.isTearingDown else { return }
      isCalledBack = true
      if wantsWritable { onWritable?() }
      onReadable?()
      fileDescriptor = -1
      onReadable?()
      isCalledBack = false
      onReadable = nil
      onWritable = nil
    }
  }

  /// Watches a descriptor, readable by level (called again as long as bytes wait), writable only where asked for.
  ///
  /// The loop watches a duplicate: the caller may close its own descriptor before it cancels. When the descriptor breaks,
  /// the callbacks are called a last time. On the loop only.
  public func watch(
    fileDescriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws -> Watch {
    let duplicate = fcntl(fileDescriptor, F_DUPFD_CLOEXEC, 0)
    guard duplicate >= 0 else { throw TransportError("duplicate a descriptor", code: errno) }
    return try adopt(duplicate, onReadable: onReadable, onWritable: onWritable)
  }

  /// The same for a descriptor that becomes the watch's; it is closed too when this fails.
  func adopt(
    _ descriptor: Int32, onReadable: @escaping () -> Void, onWritable: @escaping () -> Void
  ) throws(TransportError) -> Watch {
    precondition(isCurrent)
    do throws(TransportError) {
      return try Watch(self, owning: descriptor, onReadable: onReadable, onWritable: onWritable)
    } catch {
      close(descriptor)
      throw error
    }
  }
}

/// The protocol under which watched descriptors are known to libwebsockets.
enum WatchProtocol {
  /// Never freed: vhosts point to it.
  ///
  /// `nonisolated(unsafe)`: written here once and only read afterwards.
  nonisolated(unsafe) static let list: UnsafePointer<lws_protocols> = {
    let list = UnsafeMutablePointer<lws_protocols>.allocate(capacity: 2)
    list.initialize(repeating: lws_protocols(), count: 2)
    list[0].name = UnsafePointer(strdup("watch"))
    list[0].callback = watchCallback
    return UnsafePointer(list)
  }()
}

private let watchCallback:
  @convention(c) (
    OpaquePointer?, lws_callback_reasons, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int
  ) -> Int32 = { connection, reason, _, _, _ in
    switch reason {
    case LWS_CALLBACK_RAW_RX_FILE: watch(of: connection)?.readable() ?? -1
    case LWS_CALLBACK_RAW_WRITEABLE_FILE: watch(of: connection)?.writable() ?? -1
    case LWS_CALLBACK_RAW_CLOSE_FILE: close(connection)
    default: 0
    }
  }

private func watch(of connection: OpaquePointer?) -> EventLoop.Watch? {
  guard let opaque = lws_get_opaque_user_data(connection) else { return nil }
  return Unmanaged<EventLoop.Watch>.fromOpaque(opaque).takeUnretainedValue()
}

private func close(_ connection: OpaquePointer?) -> Int32 {
  guard let opaque = lws_get_opaque_user_data(connection) else { return 0 }
  lws_set_opaque_user_data(connection, nil)
  Unmanaged<EventLoop.Watch>.fromOpaque(opaque).takeRetainedValue().ended()
  return 0
}
