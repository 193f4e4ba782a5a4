#ifndef CWEBSOCKETS_SHIM_H
#define CWEBSOCKETS_SHIM_H

#include <libwebsockets.h>
#include <sys/socket.h>

// A function-like macro, which the importer does not see: bytes that libwebsockets may write in front of a payload.
static inline size_t cwebsockets_pre(void) { return LWS_PRE; }

// Declared for _GNU_SOURCE alone.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int pthread_setname_np(pthread_t, const char *);

// The next connection, non-blocking (04000) and closed on exec (02000000); -1 and errno without one.
static inline int cwebsockets_accept(int listener, struct sockaddr_storage *peer) {
  socklen_t length = sizeof *peer;
  return accept4(listener, (struct sockaddr *)peer, &length, 04000 | 02000000);
}

#endif
