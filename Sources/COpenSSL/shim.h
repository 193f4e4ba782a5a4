#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

// Function-like macros, which the importer does not see.

static inline long copenssl_require_tls_1_2(SSL_CTX *context) {
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

// Writes may take a part, and may be repeated from another place in memory.
static inline void copenssl_allow_partial_writes(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

static inline long copenssl_set_server_name(SSL *session, const char *name) {
  return SSL_set_tlsext_host_name(session, name);
}

// SHA-256 with the processor's own instructions; 1 on success. The context is on the stack, and nothing is fetched or
// allocated, as EVP of OpenSSL 3 does at every use. These functions are deprecated in favour of that, but OpenSSL 1.1 and
// 3 have them; one that was built without them does not declare them, and then this does not compile.
static inline int copenssl_sha256(const unsigned char *message, size_t count, unsigned char *digest) {
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
  SHA256_CTX context;
  return SHA256_Init(&context) == 1 && SHA256_Update(&context, message, count) == 1 &&
         SHA256_Final(digest, &context) == 1;
#pragma clang diagnostic pop
}

#endif
