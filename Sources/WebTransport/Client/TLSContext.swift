import COpenSSL

/// What the TLS connections of a client share: the trusted certificates and the settings.
final class TLSContext {
  private let context: OpaquePointer

  /// `http/1.1` as ALPN spells it (RFC 7301 §3.1).
  private static let protocols: [UInt8] = [8] + Array("http/1.1".utf8)

  init(_ trust: TLSTrust) throws(WebClientError) {
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_client_method()) else {
      throw WebClientError(.tls, "could not set TLS up: \(TLSContext.lastReason)")
    }
    self.context = context
    copenssl_allow_partial_writes(context)
    let isTrusting =
      switch trust {
      case .system: SSL_CTX_set_default_verify_paths(context)
      case .authorities(let path): SSL_CTX_load_verify_locations(context, path, nil)
      }
    // Unlike the rest of OpenSSL, 0 is success here.
    let isOffering = SSL_CTX_set_alpn_protos(context, TLSContext.protocols, UInt32(TLSContext.protocols.count)) == 0
    guard isTrusting == 1, copenssl_require_tls_1_2(context) == 1, isOffering else {
      throw WebClientError(.tls, "could not load the trusted certificates: \(TLSContext.lastReason)")
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
  }

  deinit { SSL_CTX_free(context) }

  /// A session over a connected socket, which stays the caller's, with the server's name or address to be checked.
  func makeSession(host: String, descriptor: Int32) throws(WebClientError) -> TLSSession {
    ERR_clear_error()
    guard let session = SSL_new(context) else {
      throw WebClientError(.tls, "could not set TLS up: \(TLSContext.lastReason)")
    }
    guard TLSContext.expect(host, session), SSL_set_fd(session, descriptor) == 1 else {
      SSL_free(session)
      throw WebClientError(.tls, "could not set TLS up for \(host): \(TLSContext.lastReason)")
    }
    SSL_set_connect_state(session)
    return TLSSession(session, host: host)
  }

  /// Makes the certificate be checked for this host: an address by its bytes, a name by RFC 6125, asked for by SNI.
  private static func expect(_ host: String, _ session: OpaquePointer) -> Bool {
    if SocketAddress(numeric: host, port: 1) != nil {
      return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1
    }
    SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    return SSL_set1_host(session, host) == 1 && copenssl_set_server_name(session, host) == 1
  }

  /// What the last call complains about.
  static var lastReason: String {
    guard let text = ERR_reason_error_string(ERR_peek_last_error()) else { return "no reason is known" }
    return String(cString: text)
  }
}

/// One TLS connection.
final class TLSSession {
  /// What became of a call.
  enum Outcome {
    /// So many bytes; 0 for a handshake that is done.
    case done(Int)
    case needsReadable
    case needsWritable
    /// The server has said that nothing follows.
    case ended
    case failed(WebClientError)
  }

  private let session: OpaquePointer
  private let host: String

  fileprivate init(_ session: OpaquePointer, host: String) {
    self.session = session
    self.host = host
  }

  deinit { SSL_free(session) }

  func handshake() -> Outcome {
    outcome { SSL_do_handshake(session) == 1 ? 0 : nil }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    outcome {
      var count = 0
      return SSL_read_ex(session, buffer.baseAddress, buffer.count, &count) == 1 ? count : nil
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    outcome {
      var count = 0
      return SSL_write_ex(session, bytes.baseAddress, bytes.count, &count) == 1 ? count : nil
    }
  }

  /// Tells the server that nothing follows, if the system takes that at once.
  func sayGoodbye() {
    ERR_clear_error()
    SSL_shutdown(session)
    ERR_clear_error()
  }

  private func outcome(_ call: () -> Int?) -> Outcome {
    // Errors are read from a queue of the thread, where old ones would count as new.
    ERR_clear_error()
    if let count = call() { return .done(count) }
    switch SSL_get_error(session, 0) {
    case SSL_ERROR_WANT_READ: return .needsReadable
    case SSL_ERROR_WANT_WRITE: return .needsWritable
    case SSL_ERROR_ZERO_RETURN: return .ended
    case SSL_ERROR_SYSCALL: return .failed(WebClientError(.connectionLost, "the connection to \(host) was lost"))
    default: return .failed(failure())
    }
  }

  private func failure() -> WebClientError {
    let verdict = SSL_get_verify_result(session)
    guard verdict == X509_V_OK else {
      let reason = String(cString: X509_verify_cert_error_string(verdict))
      return WebClientError(.tls, "the certificate of \(host) is refused: \(reason)")
    }
    guard ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING else {
      return WebClientError(.connectionLost, "the connection to \(host) was cut off")
    }
    return WebClientError(.tls, "TLS with \(host) failed: \(TLSContext.lastReason)")
  }
}
